package config

import (
	"cmp"
	"net/netip"
	"slices"
)

// checkControl loads the files of the link to Envoys and finds what is missing. There is no such port without mutual TLS,
// not on the loopback address either: who connects gets providers' keys, and other users of the machine could.
func (l *loader) checkControl() {
	c := &l.cfg.Control
	t := &c.TLS
	t.Pair = l.keyPair("CONTROL_TLS_CERT_PATH", t.CertPath, "CONTROL_TLS_KEY_PATH", t.KeyPath)
	t.CA = l.authorities("CONTROL_TLS_CA_PATH", t.CAPath)
	slices.Sort(t.Peers)
	t.Peers = slices.Compact(t.Peers)
	if c.Host == "" {
		for _, v := range controlRows() {
			if l.get(v.name) != "" && l.get("CONTROL_HOST") == "" {
				l.warn(v.name, "has no effect: CONTROL_HOST is not set")
			}
		}
		c.Address, c.Loopback = HostPort{}, HostPort{}
		return
	}
	for _, v := range []struct {
		name string
		set  bool
	}{
		{"CONTROL_TLS_CERT_PATH", t.CertPath != "" || t.KeyPath != ""},
		{"CONTROL_TLS_CA_PATH", t.CAPath != ""},
		{"CONTROL_TLS_PEERS", len(t.Peers) > 0},
	} {
		if !v.set && l.get(v.name) == "" {
			l.add(v.name, "", "a value, since CONTROL_HOST is set: that port speaks mutual TLS only")
		}
	}
	c.Address = cmp.Or(c.Address, HostPort{c.Host, c.Port})
	c.Loopback = cmp.Or(c.Loopback, HostPort{c.LoopbackHost, c.LoopbackPort})
	for name, a := range map[string]HostPort{"CONTROL_ADDRESS": c.Address, "CONTROL_LOOPBACK_ADDRESS": c.Loopback} {
		if ip, err := netip.ParseAddr(a.Host); err == nil && ip.IsUnspecified() {
			l.add(name, shown(l.get(name)), "the address under which the other end finds this one: "+a.Host+" is no place to connect to")
		}
	}
}
