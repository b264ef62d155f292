package snapshot

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// redirectRoutes send plain HTTP to the public listener, with host and path as they are and the method kept (308). The
// port is always named: without one Envoy would keep that of the request.
// Probes are answered here: they carry nothing, and have no certificate when clients must show one.
func redirectRoutes(in Input) []*routev3.Route {
	s := in.Config.Server
	to := s.TLS.RedirectToPort
	if to == 0 {
		to = s.Port
	}
	return append(probeRoutes(), &routev3.Route{
		Name: "redirect to https", Match: prefixPath("/"), Metadata: lane("static"),
		Action: &routev3.Route_Redirect{Redirect: &routev3.RedirectAction{
			SchemeRewriteSpecifier: &routev3.RedirectAction_HttpsRedirect{HttpsRedirect: true},
			PortRedirect:           uint32(to),
			ResponseCode:           routev3.RedirectAction_PERMANENT_REDIRECT,
		}},
	})
}
