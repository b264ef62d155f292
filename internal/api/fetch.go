package api

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
)

// answerError says what is wrong with a provider's answer, in words fit for the client.
type answerError string

func (e answerError) Error() string { return string(e) }

// fetchSafely is fetch for a goroutine that no handler's recover protects.
func (s *Server) fetchSafely(p Provider) (models []model, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.opts.Log.Error("reading a model list panicked",
				"provider", p.ID, "panic", cause, "stack", string(debug.Stack()))
			models, err = nil, answerError("its answer could not be read")
		}
	}()
	return s.fetch(p)
}

// fetch asks a provider for its models, through the loopback listener. It ends with the server, or after FetchTimeout.
func (s *Server) fetch(p Provider) ([]model, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.opts.FetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://loopback/proxy/"+p.ID+p.ModelsPath, nil)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, s.status(resp, p)
	}
	body, err := s.read(resp)
	if err != nil {
		return nil, err
	}
	return parseModels(body, p, s.opts.MaxModels)
}

// status says why there is no list: in Envoy's words (apierror) when the answer is not the provider's at all.
func (s *Server) status(resp *http.Response, p Provider) error {
	var told struct {
		Error struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if body, err := s.read(resp); err == nil && json.Unmarshal(body, &told) == nil && told.Error.Type == "upstream_error" {
		if what, ours := strings.CutPrefix(told.Error.Message, "provider "+p.ID+" "); ours {
			return answerError("it " + what)
		}
	}
	return answerError(fmt.Sprintf("it answered with status %d", resp.StatusCode))
}

// read takes the body, uncompressed and bounded.
func (s *Server) read(resp *http.Response) ([]byte, error) {
	var from io.Reader = resp.Body
	// The transport undoes the gzip that it asked for; some servers compress unasked.
	if resp.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(resp.Body)
		if err != nil {
			return nil, fmt.Errorf("reading the answer: %w", err)
		}
		from = unzipped
	}
	body, err := io.ReadAll(io.LimitReader(from, s.opts.MaxBody+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if int64(len(body)) > s.opts.MaxBody {
		return nil, answerError("its answer is too large")
	}
	return body, nil
}
