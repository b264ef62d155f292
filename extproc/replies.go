package extproc

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

// chunk is the most body bytes in one message: large enough to be rare, small enough that neither side holds a second
// whole body in its buffers.
const chunk = 1 << 20

// forward sends a request on: its headers with the mutations, then its body. This is the FULL_DUPLEX_STREAMED protocol of ext_proc.proto (StreamedBodyResponse).
func forward(set []*corev3.HeaderValueOption, body []byte) replies {
	out := replies{{Response: &extprocv3.ProcessingResponse_RequestHeaders{RequestHeaders: &extprocv3.HeadersResponse{
		Response: &extprocv3.CommonResponse{
			ClearRouteCache: true,
			HeaderMutation:  &extprocv3.HeaderMutation{SetHeaders: set},
		},
	}}}}
	for {
		piece := body[:min(len(body), chunk)]
		body = body[len(piece):]
		last := len(body) == 0
		out = append(out, streamedBody(piece, last))
		if last {
			break
		}
	}
	return out
}

func streamedBody(piece []byte, last bool) *extprocv3.ProcessingResponse {
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestBody{RequestBody: &extprocv3.BodyResponse{
		Response: &extprocv3.CommonResponse{BodyMutation: &extprocv3.BodyMutation{
			Mutation: &extprocv3.BodyMutation_StreamedResponse{
				StreamedResponse: &extprocv3.StreamedBodyResponse{Body: piece, EndOfStream: last},
			},
		}},
	}}}
}

// refuse answers the client in place of a provider.
func refuse(e *apierror.Error) replies {
	return replies{{Response: &extprocv3.ProcessingResponse_ImmediateResponse{ImmediateResponse: &extprocv3.ImmediateResponse{
		Status:  &typev3.HttpStatus{Code: typev3.StatusCode(e.Status())},
		Headers: &extprocv3.HeaderMutation{SetHeaders: []*corev3.HeaderValueOption{header("content-type", "application/json")}},
		Body:    e.Body(),
		Details: apierror.DetailsPrefix + string(e.Kind),
	}}}}
}

func header(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, RawValue: []byte(value)},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}
