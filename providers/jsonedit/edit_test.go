package jsonedit_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

var update = flag.Bool("update", false, "rewrite the wanted outputs of testdata")

// A case is a file: prose, edits (a line each: the name, then the raw value, or nothing to remove), body and want.
func TestEdit(t *testing.T) {
	files, err := filepath.Glob("testdata/edit/*.txtar")
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
			var edits []jsonedit.Edit
			for line := range strings.Lines(string(part["edits"].Data)) {
				name, raw, _ := strings.Cut(strings.TrimSpace(line), " ")
				edits = append(edits, jsonedit.Edit{Name: name, Raw: []byte(raw)})
			}
			doc, err := jsonedit.Parse(part["body"].Data)
			if err != nil {
				t.Fatal(err)
			}
			got := doc.Apply([]byte("kept:"), edits...)
			if pieces := slices.Concat(doc.Pieces(edits...)...); "kept:"+string(pieces) != string(got) {
				t.Errorf("in one piece %q, in several %q", got, pieces)
			}
			if !strings.HasPrefix(string(got), "kept:") {
				t.Fatal("dst was not appended to")
			}
			got = got[len("kept:"):]
			if *update {
				part["want"].Data = got
				if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if string(got) != string(part["want"].Data) {
				t.Errorf("got:\n%s\nwant:\n%s", got, part["want"].Data)
			}
			if _, err := jsonedit.Parse(got); err != nil {
				t.Errorf("the result does not parse: %v", err)
			}
		})
	}
}

func TestSingleEdits(t *testing.T) {
	doc, err := jsonedit.Parse([]byte(`{"model":"a","n":1}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, got, want string }{
		{"Replace", string(doc.Replace(nil, "model", []byte(`null`))), `{"model":null,"n":1}`},
		{"Replace absent", string(doc.Replace(nil, "x", []byte(`1`))), `{"model":"a","n":1}`},
		{"SetString", string(doc.SetString(nil, "model", "b\"\n<é>")), `{"model":"b\"\n<é>","n":1}`},
		{"SetString absent", string(doc.SetString(nil, "x", "y")), `{"model":"a","n":1,"x":"y"}`},
		{"SetString not UTF-8", string(doc.SetString(nil, "model", "\xff")), `{"model":"` + "\ufffd" + `","n":1}`},
		{"Insert present", string(doc.Insert(nil, "n", []byte(`2`))), `{"model":"a","n":2}`},
		{"Apply without a value", string(doc.Apply(nil, jsonedit.Edit{Name: "model"})), `{"n":1}`},
		{"Apply nothing", string(doc.Apply(nil)), `{"model":"a","n":1}`},
		{"zero Doc", string(jsonedit.Doc{}.Apply(nil)), ``},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, c.got, c.want)
		}
	}
}
