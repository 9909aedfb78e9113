// Command informer is what client-go's informers cost: it watches the collections that Snapshot Retainer's controller watches, and
// keeps of each object its metadata without managedFields, or all of it.
//
//	informer -kubeconfig FILE -form metadata|full
//
// It prints {"objects":…,"seconds":…} once everything is there, and goes on until its standard input ends.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

var collections = []schema.GroupVersionResource{
	{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: "volumesnapshotcontents"},
	{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: "volumesnapshots"},
	{Group: "velero.io", Version: "v2alpha1", Resource: "datauploads"},
	{Group: "velero.io", Version: "v1", Resource: "backups"},
	{Version: "v1", Resource: "persistentvolumeclaims"},
	{Version: "v1", Resource: "persistentvolumes"},
}

func main() {
	started := time.Now()
	kubeconfig := flag.String("kubeconfig", "", "file")
	form := flag.String("form", "metadata", "metadata or full")
	flag.Parse()
	informersOf, err := factory(*kubeconfig, *form)
	if err != nil {
		klog.ErrorS(err, "no client")
		os.Exit(1)
	}
	var stores []cache.Store
	var synced []cache.InformerSynced
	for _, collection := range collections {
		informer := informersOf(collection).Informer()
		if err := informer.SetTransform(withoutManagedFields); err != nil {
			klog.ErrorS(err, "no transform")
			os.Exit(1)
		}
		go informer.Run(context.Background().Done())
		stores = append(stores, informer.GetStore())
		synced = append(synced, informer.HasSynced)
	}
	for !all(synced) {
		time.Sleep(5 * time.Millisecond)
	}
	seconds := time.Since(started).Seconds()
	objects := 0
	for _, store := range stores {
		objects += len(store.ListKeys())
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"objects": objects, "seconds": seconds})
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func all(synced []cache.InformerSynced) bool {
	for _, has := range synced {
		if !has() {
			return false
		}
	}
	return true
}

func factory(kubeconfig, form string) (func(schema.GroupVersionResource) informers.GenericInformer, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	// The API server's own limits hold; the client's would only make it late.
	config.QPS = -1
	if form == "full" {
		client, err := dynamic.NewForConfig(config)
		if err != nil {
			return nil, err
		}
		return dynamicinformer.NewDynamicSharedInformerFactory(client, 0).ForResource, nil
	}
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return metadatainformer.NewSharedInformerFactory(client, 0).ForResource, nil
}

func withoutManagedFields(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(nil)
	}
	return object, nil
}
