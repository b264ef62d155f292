package link

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// LoopbackService is the name that the gateway asks an Envoy for.
const LoopbackService = "loopback"

// Dialer opens connections to Envoys' listener for the gateway.
type Dialer struct {
	Address  string // host:port
	Identity *Identity
}

// Dial connects and verifies that an Envoy answers.
func (d Dialer) Dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	tcp := net.Dialer{Timeout: 5 * time.Second}
	raw, err := tcp.DialContext(ctx, "tcp", d.Address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, d.Identity.client(LoopbackService))
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("link: %w", err)
	}
	return conn, nil
}
