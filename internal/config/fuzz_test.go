package config

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/joho/godotenv"
	"golang.org/x/tools/txtar"
)

// FuzzLoad feeds NAME=value lines: whatever they say there is either a Config or problems, never both and never a panic.
func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		if a, err := txtar.ParseFile(file); err == nil && len(a.Files) > 0 {
			f.Add(string(a.Files[0].Data))
		}
	}
	f.Fuzz(func(t *testing.T, lines string) {
		env := map[string]string{}
		for line := range strings.Lines(lines) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			env[name] = value
		}
		cfg, _, err := Load(env, WithFiles(func(path string) ([]byte, error) {
			if strings.HasPrefix(path, "/") {
				return []byte(path), nil
			}
			return nil, fs.ErrNotExist
		}))
		if (cfg == nil) == (err == nil) {
			t.Fatal("either a Config or an error")
		}
		if cfg == nil {
			return
		}
		last := ""
		for _, p := range cfg.Providers {
			if p.ID <= last {
				t.Fatalf("not sorted: %q after %q", p.ID, last)
			}
			if last = p.ID; p.State == Ready && p.URL == nil && p.ID != "demo" {
				t.Fatalf("%s is ready without a URL", p.ID)
			}
		}
	})
}

// FuzzEnvFile holds the dotenv parser to no panic: the file is watched, and a typo may not end the gateway.
func FuzzEnvFile(f *testing.F) {
	f.Add("A=b\nexport C='d'\n# e\nF=\"${A}\\n\"\n")
	f.Fuzz(func(t *testing.T, content string) { _, _ = godotenv.Unmarshal(content) })
}
