package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	cachetypes "github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	listenerType = resourcev3.ListenerType
	routeType    = resourcev3.RouteType
	clusterType  = resourcev3.ClusterType
	secretType   = resourcev3.SecretType

	extensionType = resourcev3.ExtensionConfigType
)

const packError = "type.invalid/"

// pack wraps a message. What cannot be marshalled becomes an Any that validate reports, so that constructors stay
// expressions.
func pack(m proto.Message) *anypb.Any {
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return &anypb.Any{TypeUrl: packError + err.Error()}
	}
	return &anypb.Any{TypeUrl: "type.googleapis.com/" + string(m.ProtoReflect().Descriptor().FullName()), Value: value}
}

// validate applies the validation rules of the Envoy API (protoc-gen-validate) to a message and to everything packed
// inside it, at any depth.
func validate(m proto.Message) error {
	var problems []error
	if v, ok := m.(interface{ ValidateAll() error }); ok {
		if err := v.ValidateAll(); err != nil {
			problems = append(problems, err)
		}
	}
	eachAny(m.ProtoReflect(), func(a *anypb.Any) {
		if text, bad := strings.CutPrefix(a.GetTypeUrl(), packError); bad {
			problems = append(problems, errors.New(text))
			return
		}
		inner, err := a.UnmarshalNew()
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", a.GetTypeUrl(), err))
			return
		}
		if err := validate(inner); err != nil {
			problems = append(problems, err)
		}
	})
	return errors.Join(problems...)
}

// eachAny visits the Any messages of m that are not inside another Any.
func eachAny(m protoreflect.Message, visit func(*anypb.Any)) {
	switch v := m.Interface().(type) {
	case *anypb.Any:
		visit(v)
		return
	case *routev3.FilterConfig:
		if v.GetConfig() != nil && proto.Size(v.GetConfig()) == 0 { // says no more than that the filter is on (withWasm)
			return
		}
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap() && fd.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, e protoreflect.Value) bool {
				eachAny(e.Message(), visit)
				return true
			})
		case fd.IsList() && fd.Message() != nil:
			for i := range v.List().Len() {
				eachAny(v.List().Get(i).Message(), visit)
			}
		case !fd.IsMap() && !fd.IsList() && fd.Message() != nil:
			eachAny(v.Message(), visit)
		}
		return true
	})
}

// contentVersion names a set of resources by what is in it, so that an unchanged set is not pushed again.
func contentVersion(resources []cachetypes.Resource) (string, error) {
	sums := make([]string, 0, len(resources))
	for _, r := range resources {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
		if err != nil {
			return "", err
		}
		sum := sha256.Sum256(b)
		sums = append(sums, cachev3.GetResourceName(r)+hex.EncodeToString(sum[:]))
	}
	sort.Strings(sums)
	sum := sha256.Sum256([]byte(strings.Join(sums, "\n")))
	return hex.EncodeToString(sum[:8]), nil
}

func shortType(url string) string { return url[strings.LastIndexByte(url, '.')+1:] }

// duration is for fields that are always there: zero means zero, or no limit where Envoy's API says so.
func duration(d time.Duration) *durationpb.Duration { return durationpb.New(d) }

// durationOrUnset leaves a field out for zero, where its absence is what means no limit.
func durationOrUnset(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return duration(d)
}

func u32(n uint32) *wrapperspb.UInt32Value { return wrapperspb.UInt32(n) }
func yes() *wrapperspb.BoolValue           { return wrapperspb.Bool(true) }
func no() *wrapperspb.BoolValue            { return wrapperspb.Bool(false) }
