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

	driver := &Driver{name: name, array: array}
	server := grpc.NewServer()
	csi.RegisterIdentityServer(server, driver)
	csi.RegisterControllerServer(server, driver)
	ended := make(chan error, 2)
	go func() { ended <- server.Serve(csiListener) }()
	go func() { ended <- http.Serve(httpListener, routes(array)) }()
	return <-ended
}

// routes are GET /state and PUT /limit with a body like {"limit": 3}.
func routes(array *Array) *http.ServeMux {
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
		if err := array.SetLimit(*wanted.Limit); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}
