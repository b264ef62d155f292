package tools

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

var update = flag.Bool("update", false, "rewrite the wanted output of the stream cases")

// cuts feed a turn's bytes in pieces.
var cuts = map[string]func([]byte, func([]byte)){
	"whole": func(b []byte, feed func([]byte)) { feed(b) },
	"byte by byte": func(b []byte, feed func([]byte)) {
		for i := range b {
			feed(b[i : i+1 : i+1])
		}
	},
	"random cuts": func(b []byte, feed func([]byte)) {
		for len(b) > 0 {
			n := 1 + rand.IntN(min(len(b), 40))
			feed(bytes.Clone(b[:n]))
			b = b[n:]
		}
	},
}

// play runs a session over the streams of its turns, without a network: every call's result is its arguments. It gives
// what the client sees and the requests that followed the first.
func play(s *Session, turns [][]byte, cut func([]byte, func([]byte))) (seen []byte, requests [][]byte) {
	st := newStream(s)
	for _, bytes := range turns {
		var err error
		cut(bytes, func(piece []byte) {
			if err == nil {
				seen, err = st.feed(seen, piece)
			}
		})
		var t *turn
		if err == nil {
			seen, t, err = st.endTurn(seen)
		}
		if err != nil {
			return fmt.Appendf(seen, "%v\n", err), requests
		}
		v := s.judge(t)
		if v != execute {
			return st.finish(seen, t.reason(v)), requests
		}
		t.settle(s.followUps)
		var results []Result
		for _, c := range t.calls {
			results = append(results, Result{Text: "got " + c.Arguments})
		}
		requests = append(requests, slices.Concat(s.next(t, results)...))
	}
	return append(seen, "no more turns\n"...), requests
}

// A case is a request, the model's turns, and what the client sees and the model is sent for that.
func TestStreams(t *testing.T) {
	files, err := filepath.Glob("testdata/stream/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var request, want []byte
		var turns [][]byte
		for _, f := range archive.Files {
			switch f.Name {
			case "request":
				request = f.Data
			case "turn":
				turns = append(turns, f.Data)
			case "want":
				want = f.Data
			}
		}
		for name, cut := range cuts {
			t.Run(filepath.Base(file)+"/"+name, func(t *testing.T) {
				s, ok := Open(request, ordinary(), Options{})
				if !ok {
					t.Fatal("no loop")
				}
				seen, requests := play(s, turns, cut)
				got := seen
				for _, r := range requests {
					doc, err := jsonedit.Parse(r)
					if err != nil {
						t.Fatal(err)
					}
					messages, _ := array(doc, "messages")
					for _, m := range elements(messages)[1:] {
						got = append(append(append(got, "message: "...), m...), '\n')
					}
				}
				if *update && name == "whole" {
					for i := range archive.Files {
						if archive.Files[i].Name == "want" {
							archive.Files[i].Data = got
						}
					}
					if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
						t.Fatal(err)
					}
					return
				}
				if string(got) != string(want) && !*update {
					t.Errorf("got:\n%s\nwant:\n%s", got, want)
				}
			})
		}
	}
}

// FuzzStream: whatever a model sends, however it is cut: no panic, only JSON goes out, and the cuts make no difference.
func FuzzStream(f *testing.F) {
	for _, file := range must(filepath.Glob("testdata/stream/*.txtar")) {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			if part.Name == "turn" {
				f.Add(part.Data, 7)
			}
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte, at int) {
		open := func() *Session {
			s, ok := Open([]byte(ask("x", streaming, clientTool, `"stream_options":{"include_usage":true}`)), ordinary(), Options{MaxIterations: 2})
			if !ok {
				t.Fatal("no loop")
			}
			return s
		}
		turns := [][]byte{stream, stream, stream, stream}
		seen, requests := play(open(), turns, cuts["whole"])
		again, _ := play(open(), turns, func(b []byte, feed func([]byte)) {
			at := max(0, min(at, len(b)))
			feed(b[:at])
			feed(b[at:])
		})
		if string(seen) != string(again) {
			t.Errorf("cut at %d:\n%s\nwhole:\n%s", at, again, seen)
		}
		for _, r := range requests {
			if _, err := jsonedit.Parse(r); err != nil {
				t.Errorf("%v: %s", err, r)
			}
		}
		ends := 0
		for line := range strings.SplitSeq(string(seen), "\n") {
			data, ok := strings.CutPrefix(line, "data: ")
			switch {
			case data == "[DONE]":
				ends++
			case ok && !json.Valid([]byte(data)) && !strings.Contains(string(seen), `"error"`): // an error goes out in the provider's own lines
				t.Errorf("no JSON goes out: %q", data)
			}
		}
		if ends > 1 {
			t.Errorf("%d ends", ends)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// FuzzFollowUp: whatever a client asks and a model answers, the next request and the client's answer are JSON, and what
// the client wrote is in them byte for byte.
func FuzzFollowUp(f *testing.F) {
	f.Add([]byte(ask("x", clientTool)), []byte(calling(add(1))), "result")
	f.Add([]byte(ask("x", `"tool_choice" : {"a":[1 , 2]}`, `"tools" : [ ]`)), []byte(saying("x")), "\xff")
	f.Add([]byte(`{"messages": [ ]}`), []byte(calling(`[{},1,{"function":{"arguments":{"a":1}}},{"id":"","type":"custom"}]`)), "")
	f.Add([]byte(`{"messages":[1],"stream":true,"stream_options":null,"x":"\ud83d\ude00"}`), []byte(calling(`[{"function":{"name":"mcp_tools_execute","arguments":"{\"name\":\"mcp_calc_add\"}"}}]`)), `"`)
	f.Fuzz(func(t *testing.T, request, answer []byte, result string) {
		for _, o := range []Options{{MaxIterations: 1}, {Selector: true}} {
			s, ok := Open(request, ordinary(), o)
			if !ok {
				return
			}
			for _, body := range [][]byte{first(s), request} {
				if _, err := jsonedit.Parse(body); err != nil {
					t.Fatalf("%v: %s", err, body)
				}
			}
			turn, answer, err := s.readWhole(answer)
			if err != nil {
				continue
			}
			v := s.judge(turn)
			if v != execute {
				if out := s.finishWhole(answer, turn, v); !json.Valid(out) {
					t.Fatalf("no JSON: %s", out)
				}
				continue
			}
			turn.settle(s.followUps)
			results := make([]Result, len(turn.calls))
			for i, c := range turn.calls {
				results[i] = s.call(t.Context(), c.Name, c.Arguments)
				results[i].Text += result
			}
			next := slices.Concat(s.next(turn, results)...)
			doc, err := jsonedit.Parse(next)
			if err != nil {
				t.Fatalf("%v: %s", err, next)
			}
			messages, _ := array(doc, "messages")
			before, _ := array(s.request, "messages")
			if !bytes.HasPrefix(messages, bytes.TrimSuffix(before, []byte("]"))) || len(elements(messages)) != len(elements(before))+1+len(turn.calls) {
				t.Fatalf("messages were\n%s\nand are\n%s", before, messages)
			}
		}
	})
}
