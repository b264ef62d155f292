package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite testdata and docs/configuration.md")

// TestCases runs each file of testdata: env (a Go-quoted value may hold line breaks) and other files that *_FILE and
// the like may name, then what is wanted: config or problems, and warnings.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			inputs, wanted := split(archive)
			cfg, warnings, err := Load(parseEnv(t, inputs["env"]), WithFiles(readerOf(inputs)))
			got := outcome(t, cfg, warnings, err)
			if *update {
				kept := archive.Files[:0]
				for _, f := range archive.Files {
					if _, ok := inputs[f.Name]; ok {
						kept = append(kept, f)
					}
				}
				archive.Files = append(kept, got...)
				require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o644))
				return
			}
			assert.Equal(t, joined(wanted), joined(got))
		})
	}
}

func split(a *txtar.Archive) (inputs map[string][]byte, wanted []txtar.File) {
	inputs = map[string][]byte{}
	for _, f := range a.Files {
		switch f.Name {
		case "config", "problems", "warnings":
			wanted = append(wanted, f)
		default:
			inputs[f.Name] = f.Data
		}
	}
	return inputs, wanted
}

func joined(files []txtar.File) string { return string(txtar.Format(&txtar.Archive{Files: files})) }

func parseEnv(t *testing.T, data []byte) map[string]string {
	env := map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		require.True(t, ok, line)
		if strings.HasPrefix(value, `"`) {
			unquoted, err := strconv.Unquote(value)
			require.NoError(t, err)
			value = unquoted
		}
		env[name] = value
	}
	return env
}

func readerOf(files map[string][]byte) FileReader {
	return func(path string) ([]byte, error) {
		if content, ok := files[path]; ok {
			return content, nil
		}
		return nil, fs.ErrNotExist
	}
}

func outcome(t *testing.T, cfg *Config, warnings []Warning, err error) (out []txtar.File) {
	var b bytes.Buffer
	if err != nil {
		var problems Problems
		require.True(t, errors.As(err, &problems))
		require.NotEmpty(t, problems)
		require.Nil(t, cfg)
		out = append(out, txtar.File{Name: "problems", Data: []byte(err.Error() + "\n")})
	} else {
		for _, s := range cfg.Effective() {
			if !s.Default {
				fmt.Fprintf(&b, "%s=%s", s.Variable, s.Value)
				if s.Source != s.Variable {
					fmt.Fprintf(&b, " from %s", s.Source)
				}
				b.WriteString("\n")
			}
		}
		for _, p := range cfg.Ready() {
			fmt.Fprintf(&b, "ready: %s %s %s key=%q auth=%s\n", p.ID, p.Dialect, p.URL, p.Key.Reveal(), p.Auth.Header)
		}
		for _, p := range cfg.Providers {
			if p.State == SwitchedOff {
				fmt.Fprintf(&b, "off: %s, %s\n", p.ID, p.Fix())
			}
		}
		for _, s := range append(cfg.MCP.Servers, cfg.A2A.Agents...) {
			fmt.Fprintf(&b, "server: %s %s", s.Name, s.URL)
			for _, h := range s.Headers {
				fmt.Fprintf(&b, " %s=%s", h.Name, h.Value.Reveal())
			}
			b.WriteString("\n")
		}
		out = append(out, txtar.File{Name: "config", Data: b.Bytes()})
	}
	var w bytes.Buffer
	for _, warning := range warnings {
		fmt.Fprintln(&w, warning)
	}
	if w.Len() > 0 {
		out = append(out, txtar.File{Name: "warnings", Data: w.Bytes()})
	}
	return out
}
