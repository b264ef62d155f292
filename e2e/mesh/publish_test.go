package mesh

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// The code of Istio's agent fetches the module in each of the ways that deploy/istio tells, and takes no other in its place.
func TestIstioFetchesTheModule(t *testing.T) {
	fetch := istio(t, "fetch")
	module, err := os.ReadFile(harness.Module(t))
	require.NoError(t, err)
	files := map[string][]byte{"/inference-gateway.wasm": module}
	types := map[string]string{}
	digest := publish(t, files, types, module)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := files[r.URL.Path]
		if !ok && r.URL.Path != "/v2/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", types[r.URL.Path])
		_, _ = w.Write(content)
	}))
	t.Cleanup(server.Close)
	registry := strings.TrimPrefix(server.URL, "http://")
	image := "oci://" + registry + "/platform/inference-gateway-wasm"

	sum := fmt.Sprintf("%x", sha256.Sum256(module))
	other := strings.Repeat("0", 64)
	for _, c := range []struct {
		what, url, sha256 string
		good              bool
	}{
		{"by HTTP with its checksum", server.URL + "/inference-gateway.wasm", sum, true},
		{"by HTTP with another's", server.URL + "/inference-gateway.wasm", other, false},
		{"an image by its tag", image + ":1", "", true},
		{"an image by its digest", image + "@sha256:" + digest, "", true},
		{"an image by its tag, with its digest", image + ":1", digest, true},
		{"an image by its tag, with another's", image + ":1", other, false},
	} {
		dir := t.TempDir() // nothing is kept from one to the next
		out, err := exec.Command(fetch, c.url, c.sha256, dir, registry).CombinedOutput()
		if !c.good {
			assert.Error(t, err, "%s: %s", c.what, out)
			continue
		}
		if !assert.NoError(t, err, "%s: %s", c.what, out) {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		got, err := os.ReadFile(lines[len(lines)-1])
		assert.NoError(t, err, c.what)
		assert.True(t, bytes.Equal(module, got), c.what)
	}
}

// publish puts the image of deploy/istio/Dockerfile into a registry, as its tag 1, and gives the image's digest: one layer,
// with the file that the COPY line names.
func publish(t *testing.T, files map[string][]byte, types map[string]string, module []byte) string {
	t.Helper()
	_, target, found := strings.Cut(string(manifest(t, "Dockerfile")), "\nCOPY inference-gateway.wasm ")
	require.True(t, found)
	var layer bytes.Buffer
	zipped := gzip.NewWriter(&layer)
	archive := tar.NewWriter(zipped)
	require.NoError(t, archive.WriteHeader(&tar.Header{Name: filepath.Clean(strings.TrimSpace(target)), Mode: 0o644, Size: int64(len(module))}))
	_, err := archive.Write(module)
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	require.NoError(t, zipped.Close())

	const repository = "/v2/platform/inference-gateway-wasm"
	blob := func(kind string, content []byte) map[string]any {
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256(content))
		files[repository+"/blobs/"+digest], types[repository+"/blobs/"+digest] = content, "application/octet-stream"
		return map[string]any{"mediaType": kind, "digest": digest, "size": len(content)}
	}
	text, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": blob("application/vnd.oci.image.config.v1+json", []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)),
		"layers": []any{blob("application/vnd.oci.image.layer.v1.tar+gzip", layer.Bytes())},
	})
	require.NoError(t, err)
	digest := fmt.Sprintf("%x", sha256.Sum256(text))
	for _, name := range []string{"1", "sha256:" + digest} {
		files[repository+"/manifests/"+name] = text
		types[repository+"/manifests/"+name] = "application/vnd.oci.image.manifest.v1+json"
	}
	return digest
}
