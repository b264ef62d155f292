package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

const healthcheckTime = 5 * time.Second

// healthcheck asks the gateway on this machine, the way a container's health check does.
func healthcheck(stdout, stderr io.Writer) int {
	c := load(io.Discard)
	if c == nil {
		_, _ = fmt.Fprintln(stderr, "the configuration is bad: run `inference-gateway validate`")
		return exitConfig
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthcheckTime)
	defer cancel()
	answer, err := askReady(ctx, c.Server)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "not ready:", err)
		return exitConfig
	}
	_, _ = fmt.Fprintln(stdout, answer)
	return exitOK
}

// askReady asks /ready where it is told without a certificate.
func askReady(ctx context.Context, s config.Server) (string, error) {
	host, port, scheme := s.Host, s.Port, "http"
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	// The certificate names the public host, and this asks the local address.
	unverified := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // no credential is sent
	switch t := s.TLS; {
	case s.ProbePort != 0:
		port = s.ProbePort
	case t.RedirectPort != 0:
		port = t.RedirectPort
	case t.Enabled() && t.ClientCA != "" && t.ClientAuth == config.ClientAuthRequire:
		return "it lives; only clients with a certificate, and SERVER_HTTP_REDIRECT_PORT, are told whether it is ready",
			wantsCertificate(ctx, net.JoinHostPort(host, strconv.Itoa(port)), unverified)
	case t.Enabled():
		scheme = "https"
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: unverified}}
	url := scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port)) + "/ready"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return "", errors.New(string(body))
	}
	return "ready", nil
}

// wantsCertificate is nil when the listener speaks TLS and refuses who has no certificate, as it must: it lives. In
// TLS 1.3 that is said after the handshake.
func wantsCertificate(ctx context.Context, address string, settings *tls.Config) error {
	dialer := tls.Dialer{Config: settings}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err == nil {
		defer func() { _ = conn.Close() }()
		_ = conn.SetReadDeadline(time.Now().Add(healthcheckTime))
		_, err = conn.Read(make([]byte, 1))
	}
	if err != nil && strings.Contains(err.Error(), "certificate required") {
		return nil
	}
	return fmt.Errorf("no client certificate was asked for: %w", err)
}
