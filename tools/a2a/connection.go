package a2a

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2aclient"
	"github.com/a2aproject/a2a-go/v2/a2acompat/a2av0"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// connection is an agent as one card describes it. It never changes: a new card makes another.
type connection struct {
	agent     *agent
	raw       json.RawMessage // as it was sent
	hash      string
	card      *sdk.AgentCard
	client    *a2aclient.Client
	binding   sdk.TransportProtocol
	version   sdk.ProtocolVersion
	streaming bool
	tools     []tools.Tool
}

// connect makes a connection of a card. It sends nothing.
func connect(ctx context.Context, a *agent, base *url.URL, raw []byte) (*connection, error) {
	card, err := readCard(raw, base)
	if err != nil {
		return nil, err
	}
	factory := a2aclient.NewFactory(bindings(a.http)...)
	// The SDK does not tell which of the interfaces it took, and it connects to none of them yet: so each is tried alone.
	for _, i := range preferred(card.SupportedInterfaces) {
		one := *card
		one.SupportedInterfaces = []*sdk.AgentInterface{i}
		client, err := factory.CreateFromCard(ctx, &one)
		if err != nil {
			continue
		}
		return &connection{
			agent: a, raw: raw, hash: hashOf(raw), card: card, client: client, binding: i.ProtocolBinding, version: i.ProtocolVersion,
			streaming: card.Capabilities.Streaming, tools: skillTools(a.Name, card),
		}, nil
	}
	return nil, errNoTransport
}

// preferred puts protocol 1.x before 0.3, and otherwise keeps the agent's order.
func preferred(list []*sdk.AgentInterface) []*sdk.AgentInterface {
	var first, second []*sdk.AgentInterface
	for _, i := range list {
		if speaksOne([]*sdk.AgentInterface{i}) {
			first = append(first, i)
		} else {
			second = append(second, i)
		}
	}
	return append(first, second...)
}

func bindings(client *http.Client) []a2aclient.FactoryOption {
	return []a2aclient.FactoryOption{
		a2aclient.WithDefaultsDisabled(),
		a2aclient.WithJSONRPCTransport(client),
		a2aclient.WithRESTTransport(client),
		a2av0.WithJSONRPCTransport(a2av0.JSONRPCTransportConfig{Client: client}),
		a2av0.WithRESTTransport(a2av0.RESTTransportConfig{Client: client}),
	}
}
