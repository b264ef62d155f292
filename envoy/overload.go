package envoy

import "github.com/inference-gateway/envoy-inference-gateway/internal/config"

const heapMonitor = "envoy.resource_monitors.fixed_heap"

// overload is an OverloadManager. It refuses connections beyond the limit before they cost anything, and sheds load as the heap
// fills: idle connections first, then those of finished requests, then new requests, then the streams that hold most.
// Connections are accepted all the same, up to their limit, because a refused request is an answer and a connection that
// nobody accepts is a riddle.
func overload(c *config.Config) object {
	connections := monitor("envoy.resource_monitors.global_downstream_max_connections",
		"envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
		"maxActiveDownstreamConnections", int64(c.Server.MaxConnections))
	if c.Envoy.MaxHeap == 0 {
		return object{"resourceMonitors": []object{connections}}
	}
	timers := action("reduce_timeouts", scaled(0.80, 0.95))
	timers["typedConfig"] = object{
		"@type": "type.googleapis.com/envoy.config.overload.v3.ScaleTimersOverloadActionConfig",
		"timerScaleFactors": []object{{
			"timer":    "HTTP_DOWNSTREAM_CONNECTION_IDLE",
			"minScale": object{"value": 5},
		}},
	}
	return object{
		"refreshInterval": "0.250s",
		"resourceMonitors": []object{
			connections,
			monitor(heapMonitor, "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig", "maxHeapSizeBytes", c.Envoy.MaxHeap),
		},
		// Streams are sorted by what they hold, in powers of two from 64 KiB on.
		"bufferFactoryConfig": object{"minimumAccountToTrackPowerOfTwo": 16},
		"actions": []object{
			timers,
			action("shrink_heap", at(0.90)),
			action("disable_http_keepalive", at(0.92)),
			action("stop_accepting_requests", at(0.95)),
			action("reset_high_memory_stream", scaled(0.95, 0.99)),
		},
		// Streams of HTTP/2 alone can be reset for what they hold. Of HTTP/1, who sends more then is answered and cut off: requests
		// of which half has come would fill any memory.
		"loadshedPoints": []object{{"name": "envoy.load_shed_points.http1_server_abort_dispatch", "triggers": []object{at(0.98)}}},
	}
}

func monitor(name, kind, limit string, value int64) object {
	return object{"name": name, "typedConfig": object{"@type": "type.googleapis.com/" + kind, limit: value}}
}

func action(name string, trigger object) object {
	return object{"name": "envoy.overload_actions." + name, "triggers": []object{trigger}}
}

// at acts from that share of the heap on; scaled acts more and more between two.
func at(share float64) object {
	return object{"name": heapMonitor, "threshold": object{"value": share}}
}

func scaled(from, to float64) object {
	return object{"name": heapMonitor, "scaled": object{"scalingThreshold": from, "saturationThreshold": to}}
}
