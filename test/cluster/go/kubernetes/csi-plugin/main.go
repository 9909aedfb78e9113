// Command csi-plugin is a CSI driver whose storage array exists only on paper, but refuses like a real one: a volume
// has a hard limit of snapshots. What it holds is served as JSON, so that a test asks the array and not the API server.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
)

func main() {
	driver := flag.String("driver", "array.csi.snapshot-retainer.io", "name of the CSI driver")
	socket := flag.String("socket", "csi.sock", "unix socket to serve CSI on")
	file := flag.String("state", "array.json", "file that keeps the array's state")
	limit := flag.Int("limit", 32, "snapshots a volume may have, until changed by PUT /limit")
	address := flag.String("http", "127.0.0.1:0", "loopback address to show and change the array at")
	flag.Parse()
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	if err := serve(*driver, *socket, *file, *limit, *address); err != nil {
		fmt.Fprintln(os.Stderr, "csi-plugin:", err)
		os.Exit(1)
	}
}

func serve(name, socket, file string, limit int, address string) error {
	array, err := OpenArray(file, name, limit)
	if err != nil {
		return err
	}
	// A killed plugin leaves its socket behind, and nothing can listen on a path that exists.
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	csiListener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	httpListener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	slog.Info("serving", "driver", name, "socket", socket, "http", httpListener.Addr().String())

	faults := NewFaults()
	driver := &Driver{name: name, array: array, faults: faults}
	server := grpc.NewServer()
	csi.RegisterIdentityServer(server, driver)
	csi.RegisterControllerServer(server, driver)
	ended := make(chan error, 2)
	go func() { ended <- server.Serve(csiListener) }()
	go func() { ended <- http.Serve(httpListener, routes(array, faults)) }()
	return <-ended
}

// routes show the array, and change what a test wants changed behind Kubernetes' back.
func routes(array *Array, faults *Faults) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) {
		body, err := array.JSON()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
	mux.HandleFunc("PUT /limit", func(w http.ResponseWriter, r *http.Request) {
		var wanted struct{ Limit *int }
		if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil || wanted.Limit == nil || *wanted.Limit < 0 {
			http.Error(w, `expected {"limit": N} with N of 0 or more`, http.StatusBadRequest)
			return
		}
		answer(w, array.SetLimit(*wanted.Limit))
	})
	mux.HandleFunc("PUT /snapshots/{id}/fault", func(w http.ResponseWriter, r *http.Request) {
		var fault Fault
		if err := json.NewDecoder(r.Body).Decode(&fault); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		faults.Set(r.PathValue("id"), &fault)
		answer(w, nil)
	})
	mux.HandleFunc("DELETE /snapshots/{id}/fault", func(w http.ResponseWriter, r *http.Request) {
		faults.Set(r.PathValue("id"), nil)
		answer(w, nil)
	})
	mux.HandleFunc("PUT /snapshots/{id}/ready", func(w http.ResponseWriter, r *http.Request) {
		var wanted struct{ Ready bool }
		if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer(w, array.SetReady(r.PathValue("id"), wanted.Ready))
	})
	mux.HandleFunc("DELETE /snapshots/{id}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, array.LoseSnapshot(r.PathValue("id")))
	})
	return mux
}

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
