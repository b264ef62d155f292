package main

import (
	"context"

	"github.com/inference-gateway/envoy-inference-gateway/extauthz"
	"github.com/inference-gateway/envoy-inference-gateway/internal/access"
	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// callerPolicy is the configuration as callers are checked by it.
func callerPolicy(c *config.Config) extauthz.Policy {
	return extauthz.Policy{Table: c.Access.Table, Keys: c.Access.Keys(), Required: c.CallersRequired()}
}

// rightsOf gives what a caller may do, from what Envoy's filters have written into the request's headers.
func rightsOf(c *config.Config, caller, groups string) access.Rights {
	return c.Access.Table.Rights(caller, catalog.SplitGroups(groups))
}

// reloadAccess reads keys and rights again and applies them, where the rest of the configuration cannot be used: a mistake
// there must not keep a key alive.
func (g *gateway) reloadAccess(ctx context.Context, options ...config.Option) {
	c, err := g.current.ReloadAccess(options...)
	if err != nil || c.Access.Table.Same(g.current.Access.Table) {
		return // what is wrong has been told already
	}
	if err := g.apply(ctx, c); err != nil {
		g.log.Error("the changed keys and rights are refused, the old ones stay", "error", err)
		return
	}
	g.log.Info("the changed keys and rights are in use, without the rest of the configuration", "keys", len(c.Access.Table.Keys()))
}
