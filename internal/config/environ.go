package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"sort"
	"strings"

	"github.com/joho/godotenv"
)

// Environ is the process environment.
func Environ() map[string]string {
	out := map[string]string{}
	for _, pair := range os.Environ() {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			out[name] = value
		}
	}
	return out
}

// WithEnvFile adds the variables of the dotenv file that GATEWAY_ENV_FILE names to environ and gives the result as a
// new map. The process environment wins: a variable that environ sets to something stays as it is. The error is
// Problems.
//
// In the file a value in single quotes is taken as it is; in other values $NAME stands for a variable set further up.
func WithEnvFile(environ map[string]string, options ...Option) (map[string]string, error) {
	name := strings.TrimSpace(environ[envFileVariable])
	if name == "" {
		return environ, nil
	}
	content, err := newLoader(nil, options).read(name)
	if err != nil {
		return nil, Problems{{Variable: envFileVariable, Value: shown(name), Expected: "a file that can be read"}}
	}
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")) // some editors begin every file so
	out, err := godotenv.UnmarshalBytes(content)
	if err != nil { // the parser's message quotes the file, keys included
		expected := fmt.Sprintf("a dotenv file: lines of NAME=value, # for comments, quotes closed; see line %d", badLine(content))
		return nil, Problems{{Variable: envFileVariable, Value: shown(name), Expected: expected}}
	}
	maps.DeleteFunc(out, func(_, value string) bool { return value == "" })
	for variable, value := range environ {
		if value != "" {
			out[variable] = value
		}
	}
	return out, nil
}

// badLine is the number of the line, from 1, with which a dotenv file is none any more. It halves the file again and
// again: nothing that follows makes a bad line good, unless a quote spans lines, and then it is near that quote.
func badLine(content []byte) int {
	lines := bytes.SplitAfter(content, []byte("\n"))
	return 1 + sort.Search(len(lines)-1, func(n int) bool {
		_, err := godotenv.UnmarshalBytes(bytes.Join(lines[:n+1], nil))
		return err != nil
	})
}

// Read loads the configuration of this process: its environment, the dotenv file, and the files that these name. Each
// call reads all of them anew.
func Read(options ...Option) (*Config, []Warning, error) {
	environ, err := WithEnvFile(Environ(), options...)
	if err != nil {
		return nil, nil, err
	}
	return Load(environ, options...)
}

// mostFile is the size in bytes of a file of configuration that is taken for one: tens of thousands of API keys. What
// is larger is a wrong path, /dev/zero perhaps.
const mostFile = 16 << 20

// readFile reads a file of configuration. A part of one is never taken for the whole.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // nothing was written
	content, err := io.ReadAll(io.LimitReader(f, mostFile+1))
	if err == nil && len(content) > mostFile {
		return nil, errors.New("the file is too large")
	}
	return content, err
}
