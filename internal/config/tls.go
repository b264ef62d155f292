package config

import (
	"crypto/tls"
	"crypto/x509"
	"strconv"
)

// checkServerTLS loads the files of the public listener and finds what does not fit together, its other ports among it.
func (l *loader) checkServerTLS() {
	s := &l.cfg.Server
	t := &s.TLS
	t.Pair = l.keyPair("SERVER_TLS_CERT_PATH", t.CertPath, "SERVER_TLS_KEY_PATH", t.KeyPath)
	t.ClientCA = l.authorities("SERVER_TLS_CLIENT_CA_PATH", t.ClientCAPath)
	if s.ProbePort != 0 && (s.ProbePort == s.Port || s.ProbePort == t.RedirectPort) {
		l.add("SERVER_PROBE_PORT", strconv.Itoa(s.ProbePort), "another port than SERVER_PORT and SERVER_HTTP_REDIRECT_PORT")
	}
	if t.RedirectPort != 0 && t.RedirectPort == s.Port {
		l.add("SERVER_HTTP_REDIRECT_PORT", strconv.Itoa(t.RedirectPort), "another port than SERVER_PORT")
	}
	if t.RedirectPort != 0 && s.Port == 0 && t.RedirectToPort == 0 {
		l.add("SERVER_HTTP_REDIRECT_TO_PORT", "", "a port, since SERVER_PORT is 0: a redirect must name one")
	}
	if t.ClientCAPath == "" && l.get("SERVER_TLS_CLIENT_AUTH") != "" {
		l.warn("SERVER_TLS_CLIENT_AUTH", "has no effect: SERVER_TLS_CLIENT_CA_PATH names no authority")
	}
	if t.CertPath != "" || t.KeyPath != "" {
		return
	}
	for name, set := range map[string]bool{"SERVER_TLS_CLIENT_CA_PATH": t.ClientCAPath != "", "SERVER_HTTP_REDIRECT_PORT": t.RedirectPort != 0} {
		if set {
			l.add(name, shown(l.get(name)), "SERVER_TLS_CERT_PATH and SERVER_TLS_KEY_PATH to be set as well")
		}
	}
}

// keyPair reads a certificate chain and its key, which must fit each other. It is empty when neither is named.
func (l *loader) keyPair(certName, certPath, keyName, keyPath string) KeyPair {
	switch {
	case certPath == "" && keyPath == "":
		return KeyPair{}
	case certPath == "":
		l.add(certName, "", "a path, since "+keyName+" is set")
		return KeyPair{}
	case keyPath == "":
		l.add(keyName, "", "a path, since "+certName+" is set")
		return KeyPair{}
	}
	cert, certErr := l.read(certPath)
	if certErr != nil {
		l.add(certName, shown(certPath), "a file that can be read")
	}
	key, keyErr := l.read(keyPath)
	if keyErr != nil {
		l.add(keyName, shown(keyPath), "a file that can be read")
	}
	if certErr != nil || keyErr != nil {
		return KeyPair{}
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil { // the error's text may quote the file
		l.add(certName, shown(certPath), "a PEM certificate that fits the PEM key of "+keyName)
		return KeyPair{}
	}
	return KeyPair{string(cert), Secret(key)}
}

// authorities reads a bundle of certificates to trust. It is empty when none is named.
func (l *loader) authorities(name, path string) string {
	if path == "" {
		return ""
	}
	content, err := l.read(path)
	if err != nil || !x509.NewCertPool().AppendCertsFromPEM(content) {
		l.add(name, shown(path), "a file that can be read and holds PEM certificates")
		return ""
	}
	return string(content)
}
