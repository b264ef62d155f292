package envoy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Admin speaks to Envoy's admin interface over its Unix socket (docs: operations/admin).
type Admin struct {
	client *http.Client
}

// NewAdmin makes a client of the socket at path. Close it when done.
func NewAdmin(path string) *Admin {
	return &Admin{client: &http.Client{
		Timeout: 5 * time.Second,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}},
	}}
}

// Close frees the idle connections.
func (a *Admin) Close() { a.client.CloseIdleConnections() }

// Ready is nil when Envoy is live: its configuration has arrived and its listeners are open.
func (a *Admin) Ready(ctx context.Context) error {
	body, err := a.call(ctx, http.MethodGet, "/ready")
	if err != nil {
		return err
	}
	if state := strings.TrimSpace(body); state != "LIVE" {
		return fmt.Errorf("envoy is %s", state)
	}
	return nil
}

// ListenerAddress gives the host:port on which the named listener really listens: another one than configured when
// that was port 0.
func (a *Admin) ListenerAddress(ctx context.Context, name string) (string, error) {
	body, err := a.call(ctx, http.MethodGet, "/listeners?format=json")
	if err != nil {
		return "", err
	}
	var all struct {
		Statuses []struct {
			Name    string `json:"name"`
			Address struct {
				Socket struct {
					Address string `json:"address"`
					Port    int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		return "", fmt.Errorf("envoy admin: listeners: %w", err)
	}
	for _, l := range all.Statuses {
		if l.Name == name && l.Address.Socket.Port != 0 {
			return net.JoinHostPort(l.Address.Socket.Address, strconv.Itoa(l.Address.Socket.Port)), nil
		}
	}
	return "", fmt.Errorf("envoy has no listener %q", name)
}

// StopListening closes the inbound listeners at once and lets open requests finish; connections are closed after the
// answer that is under way on them. Other listeners stay: loops that are under way ask their models through one.
func (a *Admin) StopListening(ctx context.Context) error {
	if _, err := a.call(ctx, http.MethodPost, "/healthcheck/fail"); err != nil {
		return err
	}
	_, err := a.call(ctx, http.MethodPost, "/drain_listeners?inboundonly")
	return err
}

// ActiveRequests counts the requests under way on the listener with the given statistics prefix.
func (a *Admin) ActiveRequests(ctx context.Context, prefix string) (int, error) {
	body, err := a.call(ctx, http.MethodGet, "/stats?format=text&filter=^http\\."+prefix+"\\.downstream_rq_active$")
	if err != nil {
		return 0, err
	}
	_, value, found := strings.Cut(strings.TrimSpace(body), ": ")
	if !found {
		return 0, nil
	}
	return strconv.Atoi(value)
}

// Quit ends Envoy.
func (a *Admin) Quit(ctx context.Context) error {
	_, err := a.call(ctx, http.MethodPost, "/quitquitquit")
	return err
}

func (a *Admin) call(ctx context.Context, method, path string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://envoy"+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := a.client.Do(r)
	if err != nil {
		return "", fmt.Errorf("envoy admin: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return "", fmt.Errorf("envoy admin: %w", err)
	}
	if resp.StatusCode != http.StatusOK && path != "/ready" {
		return "", fmt.Errorf("envoy admin: %s: %s", path, resp.Status)
	}
	return string(body), nil
}
