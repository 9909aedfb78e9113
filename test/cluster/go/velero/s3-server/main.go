// Command s3-server keeps an S3 bucket in memory for Velero to store its backups in.
package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

func main() {
	address := flag.String("address", "127.0.0.1:9000", "loopback address to listen on")
	bucket := flag.String("bucket", "velero", "bucket to begin with")
	flag.Parse()
	backend := s3mem.New()
	if err := backend.CreateBucket(*bucket); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(*address, gofakes3.New(backend).Server()))
}
