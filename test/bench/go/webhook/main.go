// Command webhook is what a controller-runtime webhook costs that gives the answers of Snapshot Retainer's.
//
//	webhook -form usual|thin -port PORT -certificates DIRECTORY
//
// "usual" decodes the object whole and lets controller-runtime find the difference, as its documentation does it; "thin" decodes
// what it reads and writes its own patch. Neither checks, signs or looks up anything.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"net/http"

	"gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager/signals"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

const (
	limitAnnotation     = "backup.velero.io/data-mover-snapshot-to-retain"
	inheritedAnnotation = "snapshot-retainer.io/inherited"
)

func main() {
	form := flag.String("form", "usual", "usual or thin")
	port := flag.Int("port", 0, "port on 127.0.0.1")
	certificates := flag.String("certificates", "", "directory of tls.crt and tls.key")
	flag.Parse()
	log.SetLogger(klog.Background())

	handlers := map[string]admission.HandlerFunc{"usual": usual, "thin": thin}
	server := webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: *port, CertDir: *certificates, TLSOpts: []func(*tls.Config){http1Only}})
	server.Register("/mutate", &admission.Webhook{Handler: handlers[*form]})
	if err := server.Start(signals.SetupSignalHandler()); err != nil {
		klog.ErrorS(err, "the server ended")
	}
}

// http1Only is how a kube-apiserver talks to a webhook behind a Service, whoever serves it (kubernetes/kubernetes#82090). On a
// loopback address, as here, it would take HTTP/2 (#122558), and so spare itself all but one handshake.
func http1Only(config *tls.Config) {
	config.NextProtos = []string{"http/1.1"}
}

func usual(_ context.Context, request admission.Request) admission.Response {
	var object unstructured.Unstructured
	if err := json.Unmarshal(request.Object.Raw, &object.Object); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	annotations := object.GetAnnotations()
	audit := map[string]string{"code": "inherited"}
	if request.Kind.Kind == "Backup" {
		annotations[limitAnnotation] = "3"
		audit = limitSet()
	} else {
		driver, _, _ := unstructured.NestedString(object.Object, "spec", "driver")
		handle, _, _ := unstructured.NestedString(object.Object, "spec", "source", "snapshotHandle")
		inherited, err := inherit(annotations[inheritedAnnotation], driver, handle)
		if err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		annotations[inheritedAnnotation] = inherited.document
		object.SetLabels(inherited.labels)
	}
	object.SetAnnotations(annotations)
	changed, err := json.Marshal(object.Object)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	response := admission.PatchResponseFromRaw(request.Object.Raw, changed)
	response.AuditAnnotations = audit
	return response
}

// content is what is read of a VolumeSnapshotContent.
type content struct {
	Metadata struct {
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Driver string `json:"driver"`
		Source struct {
			SnapshotHandle string `json:"snapshotHandle"`
		} `json:"source"`
	} `json:"spec"`
}

func thin(_ context.Context, request admission.Request) admission.Response {
	var object content
	if err := json.Unmarshal(request.Object.Raw, &object); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if request.Kind.Kind == "Backup" {
		response := admission.Patched("", jsonpatch.NewOperation("add", "/metadata/annotations/backup.velero.io~1data-mover-snapshot-to-retain", "3"))
		response.AuditAnnotations = limitSet()
		return response
	}
	inherited, err := inherit(object.Metadata.Annotations[inheritedAnnotation], object.Spec.Driver, object.Spec.Source.SnapshotHandle)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	response := admission.Patched("",
		jsonpatch.NewOperation("add", "/metadata/labels", inherited.labels),
		jsonpatch.NewOperation("replace", "/metadata/annotations/snapshot-retainer.io~1inherited", inherited.document))
	response.AuditAnnotations = map[string]string{"code": "inherited"}
	return response
}

func limitSet() map[string]string {
	return map[string]string{"code": "limit_set", "limit": "3", "reason": "the policy's snapshotsToRetain"}
}

// document is what a clone carries of its original.
type document struct {
	Version    int               `json:"version"`
	Kind       string            `json:"kind"`
	Alias      string            `json:"alias"`
	VolumeName string            `json:"volumeName"`
	Volume     json.RawMessage   `json:"volume"`
	Backup     backup            `json:"backup"`
	Snapshot   *snapshot         `json:"snapshot,omitempty"`
	Labels     map[string]string `json:"labels"`
	Signature  string            `json:"signature"`
}

type backup struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

type snapshot struct {
	Driver string `json:"driver"`
	Handle string `json:"handle"`
}

type inheritance struct {
	labels   map[string]string
	document string
}

// inherit gives the labels out of the document, and the document with the snapshot's handle in it; its signature is copied.
func inherit(text, driver, handle string) (inheritance, error) {
	var read document
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		return inheritance{}, err
	}
	labels := map[string]string{
		"velero.io/snapshot-alias-name":    read.Alias,
		"velero.io/snapshot-volume-name":   read.VolumeName,
		"snapshot-retainer.io/backup-name": read.Backup.Name,
	}
	for key, value := range read.Labels {
		labels[key] = value
	}
	read.Snapshot = &snapshot{Driver: driver, Handle: handle}
	written, err := json.Marshal(read)
	return inheritance{labels: labels, document: string(written)}, err
}
