// Package link is both ends of the connection between Envoys and the gateway's process over a network. The gateway has one
// port, on which every Envoy must show a certificate with a name that it is known by; the service that it wants is the
// name that it asks for (SNI). The other way round, the gateway shows its certificate to Envoys. Go's end is here, and
// Envoy's as configuration (envoy.go), since the two must agree. It must not know what the services say to each other.
package link

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// Material is what one end proves itself with, and whom it takes for the other. Chain, key and authorities are PEM.
type Material struct {
	Chain, Key, Authorities string
	Peers                   []string // names of certificates: host names, IP addresses or URIs
}

// Identity is the gateway's current material. It is safe for concurrent use; connections that are open keep what they
// began with.
type Identity struct {
	current atomic.Pointer[identity]
}

type identity struct {
	certificate tls.Certificate
	authorities *x509.CertPool
	peers       []string
}

// NewIdentity refuses material whose key does not fit its certificate or that trusts nobody.
func NewIdentity(m Material) (*Identity, error) {
	i := &Identity{}
	return i, i.Update(m)
}

// Update replaces the material for connections to come, or leaves it as it is and says why.
func (i *Identity) Update(m Material) error {
	certificate, err := tls.X509KeyPair([]byte(m.Chain), []byte(m.Key))
	if err != nil {
		return errors.New("link: the certificate and the key do not fit") // the error's text may quote them
	}
	next := &identity{certificate: certificate, authorities: x509.NewCertPool(), peers: slices.Clone(m.Peers)}
	if !next.authorities.AppendCertsFromPEM([]byte(m.Authorities)) || len(m.Peers) == 0 {
		return errors.New("link: there is nobody to trust")
	}
	i.current.Store(next)
	return nil
}

// server is the gateway's end of a connection that an Envoy opens.
func (i *Identity) server() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := i.current.Load()
		return &tls.Config{
			MinVersion:   tls.VersionTLS13,
			Certificates: []tls.Certificate{now.certificate},
			ClientAuth:   tls.RequireAndVerifyClientCert,
			ClientCAs:    now.authorities,
			// A resumed session would not be looked at again.
			SessionTicketsDisabled: true,
			VerifyConnection:       func(s tls.ConnectionState) error { return now.known(s.PeerCertificates[0]) },
		}, nil
	}}
}

// client is the gateway's end of a connection that it opens to an Envoy, whichever of them answers: not the address that
// was dialled but the peers' names say who may.
func (i *Identity) client(service string) *tls.Config {
	now := i.current.Load()
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		ServerName:         service,
		Certificates:       []tls.Certificate{now.certificate},
		InsecureSkipVerify: true, //nolint:gosec // verified below, by other names than the address
		VerifyConnection: func(s tls.ConnectionState) error {
			options := x509.VerifyOptions{
				Roots: now.authorities, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			}
			for _, c := range s.PeerCertificates[1:] {
				options.Intermediates.AddCert(c)
			}
			if _, err := s.PeerCertificates[0].Verify(options); err != nil {
				return err
			}
			return now.known(s.PeerCertificates[0])
		},
	}
}

// known looks for one of the peers' names in a certificate that has been verified.
func (i *identity) known(c *x509.Certificate) error {
	var names []string
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	names = append(names, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	for _, name := range names {
		if slices.ContainsFunc(i.peers, func(peer string) bool { return strings.EqualFold(peer, name) }) {
			return nil
		}
	}
	return fmt.Errorf("the certificate is for %q, which is no known peer (CONTROL_TLS_PEERS)", names)
}
