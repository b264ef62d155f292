// Command fetch gets a module as Istio's agent does beside every proxy, with the agent's own code: for the test of how
// the filter is published. It prints where the module is.
package main

import (
	"fmt"
	"os"
	"time"

	"istio.io/istio/pkg/util/sets"
	"istio.io/istio/pkg/wasm"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: fetch URL SHA256 DIRECTORY REGISTRY")
		os.Exit(2)
	}
	cache := wasm.NewLocalFileCache(os.Args[3], wasm.Options{
		PurgeInterval: time.Hour, ModuleExpiry: time.Hour, InsecureRegistries: sets.New(os.Args[4]),
		HTTPRequestTimeout: 5 * time.Second, HTTPRequestMaxRetries: 1,
	})
	defer cache.Cleanup()
	path, err := cache.Get(os.Args[1], wasm.GetOptions{Checksum: os.Args[2], ResourceName: "llm-policy", ResourceVersion: "1", RequestTimeout: 20 * time.Second})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(path)
}
