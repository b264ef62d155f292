package snapshot

import (
	"log/slog"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	streamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// accessLogs write a JSON line for each request to Envoy's standard output: all of them at LOG_LEVEL info and below,
// only failures of the server's side above. They cost Envoy a few microseconds and Go nothing. No header that may
// hold a credential and no query is written.
//
// At a login Envoy writes the query, with its one-time code, into the details of what went wrong: those have a line
// without.
func accessLogs(in Input) []*accesslogv3.AccessLog {
	fields := accessLogFields(in)
	if !in.Config.Auth.Login() {
		return []*accesslogv3.AccessLog{accessLog(in, fields, nil)}
	}
	atLogin := headerMatch(":path", &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: loginPaths}})
	elsewhere := headerMatch(":path", atLogin.GetStringMatch())
	elsewhere.InvertMatch, elsewhere.TreatMissingHeaderAsEmpty = true, true
	plain := accessLogFields(in)
	delete(plain.Fields, "details")
	return []*accesslogv3.AccessLog{accessLog(in, fields, matches(elsewhere)), accessLog(in, plain, matches(atLogin))}
}

func accessLog(in Input, fields *structpb.Struct, only *accesslogv3.AccessLogFilter) *accesslogv3.AccessLog {
	l := &accesslogv3.AccessLog{
		Name: "envoy.access_loggers.stdout",
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: pack(&streamv3.StdoutAccessLog{
			AccessLogFormat: &streamv3.StdoutAccessLog_LogFormat{LogFormat: &corev3.SubstitutionFormatString{
				Format: &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: fields},
			}},
		})},
		Filter: only,
	}
	if in.Config.General.LogLevel > slog.LevelInfo {
		failures := compareStatus(accesslogv3.ComparisonFilter_GE, 500)
		l.Filter = failures
		if only != nil {
			l.Filter = allOf(only, failures)
		}
	}
	return l
}

// accessLogFields are the same for every line, with null for what a request does not have: Envoy writes such a format in one
// go, and would build a tree for each line to leave fields out.
func accessLogFields(in Input) *structpb.Struct {
	fields := map[string]string{
		"time":        "%START_TIME%",
		"msg":         "access",
		"method":      "%REQ(:METHOD)%",
		"route":       "%ROUTE_NAME%",
		"path":        "%PATH(NQ:ORIG_OR_PATH)%",
		"status":      "%RESPONSE_CODE%",
		"flags":       "%RESPONSE_FLAGS%",
		"details":     "%RESPONSE_CODE_DETAILS%",
		"provider":    "%METADATA(CLUSTER:" + metadataNamespace + ":provider)%",
		"lane":        "%METADATA(ROUTE:" + metadataNamespace + ":lane)%",
		"duration_ms": "%DURATION%",
		"first_ms":    "%RESPONSE_DURATION%",
		"attempts":    "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
		"bytes_in":    "%BYTES_RECEIVED%",
		"bytes_out":   "%BYTES_SENT%",
		"client":      "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
		// What was refused before it had an id got one with the reply (replyHeaders).
		"request_id": `%COALESCE({"operators":[{"command":"REQ","param":"x-request-id"},{"command":"RESP","param":"x-request-id"}]})%`,
	}
	if callersKnown(in.Config) {
		fields["caller"] = "%FILTER_STATE(" + callerState + ":PLAIN)%"
	}
	if in.Config.Policy.On() {
		fields["policy"] = "%FILTER_STATE(wasm.igw_policy:PLAIN)%" // the rule that decided, and what it did (room wasm)
	}
	s := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(fields))}
	for k, v := range fields {
		s.Fields[k] = structpb.NewStringValue(v)
	}
	return s
}
