package envoy

import (
	"time"

	overloadv3 "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3"
	connectionsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	heapv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/fixed_heap/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/inference-gateway/envoy-inference-gateway/internal/config"
)

const heapMonitor = "envoy.resource_monitors.fixed_heap"

// overload refuses connections beyond the limit before they cost anything, and sheds load as the heap fills: idle
// connections first, then those of finished requests, then new requests, then the streams that hold most. Connections are
// accepted all the same, up to their limit, because a refused request is an answer and a connection that nobody accepts
// is a riddle.
func overload(c *config.Config) *overloadv3.OverloadManager {
	m := &overloadv3.OverloadManager{ResourceMonitors: []*overloadv3.ResourceMonitor{
		monitor("envoy.resource_monitors.global_downstream_max_connections", &connectionsv3.DownstreamConnectionsConfig{
			MaxActiveDownstreamConnections: int64(c.Server.MaxConnections),
		}),
	}}
	if c.Envoy.MaxHeap == 0 {
		return m
	}
	m.RefreshInterval = durationpb.New(250 * time.Millisecond)
	m.ResourceMonitors = append(m.ResourceMonitors, monitor(heapMonitor, &heapv3.FixedHeapConfig{MaxHeapSizeBytes: uint64(c.Envoy.MaxHeap)}))
	// Streams are sorted by what they hold, in powers of two from 64 KiB on.
	m.BufferFactoryConfig = &overloadv3.BufferFactoryConfig{MinimumAccountToTrackPowerOfTwo: 16}
	timers := action("reduce_timeouts", scaled(0.80, 0.95))
	timers.TypedConfig = pack(&overloadv3.ScaleTimersOverloadActionConfig{
		TimerScaleFactors: []*overloadv3.ScaleTimersOverloadActionConfig_ScaleTimer{{
			Timer: overloadv3.ScaleTimersOverloadActionConfig_HTTP_DOWNSTREAM_CONNECTION_IDLE,
			OverloadAdjust: &overloadv3.ScaleTimersOverloadActionConfig_ScaleTimer_MinScale{
				MinScale: &typev3.Percent{Value: 5},
			},
		}},
	})
	m.Actions = []*overloadv3.OverloadAction{
		timers,
		action("shrink_heap", at(0.90)),
		action("disable_http_keepalive", at(0.92)),
		action("stop_accepting_requests", at(0.95)),
		action("reset_high_memory_stream", scaled(0.95, 0.99)),
	}
	return m
}

func monitor(name string, c proto.Message) *overloadv3.ResourceMonitor {
	return &overloadv3.ResourceMonitor{Name: name, ConfigType: &overloadv3.ResourceMonitor_TypedConfig{TypedConfig: pack(c)}}
}

func action(name string, t *overloadv3.Trigger) *overloadv3.OverloadAction {
	return &overloadv3.OverloadAction{Name: "envoy.overload_actions." + name, Triggers: []*overloadv3.Trigger{t}}
}

// at acts from that share of the heap on; scaled acts more and more between two.
func at(share float64) *overloadv3.Trigger {
	return &overloadv3.Trigger{Name: heapMonitor, TriggerOneof: &overloadv3.Trigger_Threshold{Threshold: &overloadv3.ThresholdTrigger{Value: share}}}
}

func scaled(from, to float64) *overloadv3.Trigger {
	return &overloadv3.Trigger{Name: heapMonitor, TriggerOneof: &overloadv3.Trigger_Scaled{Scaled: &overloadv3.ScaledTrigger{
		ScalingThreshold: from, SaturationThreshold: to,
	}}}
}
