package api

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

var update = flag.Bool("update", false, "rewrite the wanted outputs of testdata")

// A case is a file: prose, provider (id and format), the provider's answer, and the models wanted, one a line.
func TestParseModels(t *testing.T) {
	files, err := filepath.Glob("testdata/models/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			part := map[string]*txtar.File{}
			for i := range ar.Files {
				part[ar.Files[i].Name] = &ar.Files[i]
			}
			row := strings.Fields(string(part["provider"].Data))
			models, err := parseModels(part["answer"].Data, Provider{ID: row[0], ModelsFormat: catalog.ModelsFormat(row[1])}, 100)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, m := range models {
				got.Write(m.raw)
				got.WriteByte('\n')
			}
			if *update {
				part["want"].Data = []byte(got.String())
				if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got.String() != string(part["want"].Data) {
				t.Errorf("got:\n%swant:\n%s", got.String(), part["want"].Data)
			}
		})
	}
}

// A list of very many costs no more memory than one of as many as are allowed.
func TestAListOfTooManyIsNotHeld(t *testing.T) {
	body := []byte("[" + strings.Repeat("1,", 1<<20) + "1]")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := parseModels(body, Provider{ID: "p", ModelsFormat: catalog.ModelsOpenAI}, 100)
	runtime.ReadMemStats(&after)
	if err == nil || err.Error() != "it lists more than 100 models" {
		t.Errorf("got %v", err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > uint64(len(body)) {
		t.Errorf("it took %d bytes", took)
	}
}

// Whatever a provider answers, the list that comes out is valid JSON or an error.
func FuzzParseModels(f *testing.F) {
	for _, s := range []string{
		`{"data":[{"id":"a","created_at":"2025-05-14T00:00:00Z"}]}`, `[{"id":"\ud83d\ude00/\""}]`, `{"data":null}`, `{}`, `{"data":{}}`,
		`{"data":[{"id":"a","id":"b"}]}`, `{"data":[],"data":[{"id":"x"}]}`, `{"data":[1`, `{"data":[]}x`, `null`, "\xff",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		models, err := parseModels(body, Provider{ID: "p", ModelsFormat: catalog.ModelsOpenAI}, 100)
		if err != nil {
			return
		}
		var got struct {
			Data []struct {
				ID       string `json:"id"`
				Object   string `json:"object"`
				ServedBy string `json:"served_by"`
			} `json:"data"`
		}
		decodeInto(t, list(models), &got)
		for _, m := range got.Data {
			if !strings.HasPrefix(m.ID, "p/") || m.Object != "model" || m.ServedBy != "p" {
				t.Errorf("%q became %+v", body, m)
			}
		}
	})
}
