package mesh

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// plurals are where the Kubernetes API has the kinds of the manifests.
var plurals = map[string]string{
	"ServiceEntry": "serviceentries", "DestinationRule": "destinationrules", "VirtualService": "virtualservices", "Gateway": "gateways",
	"Sidecar": "sidecars", "EnvoyFilter": "envoyfilters", "WasmPlugin": "wasmplugins", "RequestAuthentication": "requestauthentications",
}

// serveObjects is as much of a Kubernetes API as istiod insists on: the objects, in lists; nothing else is there, and
// nothing changes.
func serveObjects(t *testing.T, objects [][]byte) string {
	t.Helper()
	lists := map[string][]json.RawMessage{}
	var definitions []json.RawMessage
	for _, text := range objects {
		var o map[string]any
		require.NoError(t, yaml.Unmarshal(text, &o))
		plural := plurals[o["kind"].(string)]
		require.NotEmpty(t, plural, o["kind"])
		o["metadata"].(map[string]any)["resourceVersion"] = "1"
		o["metadata"].(map[string]any)["uid"] = o["metadata"].(map[string]any)["name"]
		one, err := json.Marshal(o)
		require.NoError(t, err)
		path := "/apis/" + o["apiVersion"].(string) + "/" + plural
		if lists[path] == nil {
			group, _, _ := strings.Cut(o["apiVersion"].(string), "/")
			definitions = append(definitions, json.RawMessage(`{"metadata":{"name":"`+plural+"."+group+`","resourceVersion":"1"}}`))
		}
		lists[path] = append(lists[path], one)
	}
	list := func(w io.Writer, head string, items []json.RawMessage) {
		if items == nil {
			items = []json.RawMessage{}
		}
		text, _ := json.Marshal(items)
		_, _ = io.WriteString(w, `{`+head+`"metadata":{"resourceVersion":"1"},"items":`+string(text)+`}`)
	}
	one := regexp.MustCompile(`^/(api/v1|apis/[^/]+/[^/]+)/(namespaces/[^/]+/[^/]+/[^/]+|namespaces/[^/]+)$`)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch path := r.URL.Path; {
		case path == "/version":
			_, _ = io.WriteString(w, `{"major":"1","minor":"34","gitVersion":"v1.34.0"}`)
		case path == "/api":
			_, _ = io.WriteString(w, `{"kind":"APIVersions","versions":["v1"]}`)
		case path == "/apis":
			_, _ = io.WriteString(w, `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`)
		case r.Method != http.MethodGet: // such as a lease: it is taken
			w.WriteHeader(http.StatusCreated)
			_, _ = io.Copy(w, r.Body)
		case r.URL.Query().Get("watch") != "":
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case one.MatchString(path):
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
		case strings.HasSuffix(path, "/customresourcedefinitions"):
			w.Header().Set("Content-Type", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
			list(w, `"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1",`, definitions)
		case strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadataList"):
			w.Header().Set("Content-Type", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
			list(w, `"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1",`, nil)
		default:
			list(w, "", lists[path])
		}
	}))
	t.Cleanup(func() {
		server.CloseClientConnections() // watches never end by themselves
		server.Close()
	})
	return server.URL
}
