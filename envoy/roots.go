package envoy

import "os"

// rootBundles are where distributions keep the certificate authorities' PEM bundle.
var rootBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Alpine, distroless
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Fedora, RHEL
	"/etc/pki/tls/certs/ca-bundle.crt",                  // older RHEL
	"/etc/ssl/ca-bundle.pem",                            // openSUSE
	"/etc/ssl/cert.pem",                                 // macOS, BSD
}

// SystemRoots is this machine's bundle of certificate authorities, or the usual path when there is none: Envoy then
// says so, and only when a provider needs it.
func SystemRoots() string {
	for _, path := range rootBundles {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return rootBundles[0]
}
