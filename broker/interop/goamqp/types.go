package main

import (
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/Azure/go-amqp"
)

// typeTests are about what a message may carry, in the types of go-amqp. The
// encodings that go-amqp never makes are the corpus's business (cross.go).
func typeTests() []test {
	return []test{
		{"body-data", bodyData},
		{"body-sequence", bodySequence},
		{"body-value", bodyValue},
		{"properties", allProperties},
		{"application-properties", applicationProperties},
		{"annotations", annotations},
		{"header", headerFields},
	}
}

var moment = time.UnixMilli(1_700_000_000_123).UTC()

// simpleValues has a value of each simple type that go-amqp knows, with the
// bounds of its range.
func simpleValues() []any {
	return []any{
		true, false,
		uint8(0), uint8(math.MaxUint8), uint16(math.MaxUint16),
		uint32(0), uint32(200), uint32(math.MaxUint32),
		uint64(0), uint64(200), uint64(math.MaxUint64),
		int8(math.MinInt8), int16(math.MinInt16),
		int32(-1), int32(math.MinInt32), int64(-1), int64(math.MinInt64),
		float32(1.5), math.Inf(-1), math.SmallestNonzeroFloat64,
		moment, amqp.UUID{1, 2, 3, 15: 16},
		[]byte{}, []byte{0, 255}, "", "zu früh: ☃", string(make([]byte, 300)), amqp.Symbol("x-sym"),
	}
}

// compoundValues adds lists, maps and arrays.
func compoundValues() []any {
	return []any{
		[]any{}, []any{"a", int64(1), []any{true}},
		map[string]any{"a": int64(1), "b": map[string]any{"c": "d"}},
		map[any]any{int64(1): "a"},
		[]string{"a", "b"}, []int32{1, -1}, []amqp.Symbol{"x"}, []bool{true, false}, []float64{1.5},
		[]amqp.UUID{{1}}, []time.Time{moment},
	}
}

// roundTrip sends a message and gives back what came.
func (e *env) roundTrip(l *amqp.Sender, r *amqp.Receiver, m *amqp.Message) *amqp.Message {
	e.send(l, m)
	got := e.receive(r)
	must(r.AcceptMessage(e.ctx, got), "accept")
	return got
}

// links are a sender and a receiver of the test's queue.
func (e *env) links() (*amqp.Sender, *amqp.Receiver) {
	s := e.session()
	return e.sender(s, nil), e.receiver(s, nil)
}

func wantDeep(got, want any, what string) {
	if !reflect.DeepEqual(got, want) {
		fail("%s: got %T %v, want %T %v", what, got, got, want, want)
	}
}

func bodyData(e *env) {
	l, r := e.links()
	for _, data := range [][][]byte{{{}}, {[]byte("a")}, {[]byte("a"), {}, []byte("b")}, {make([]byte, 70_000)}} {
		got := e.roundTrip(l, r, &amqp.Message{Data: data})
		wantDeep(got.Data, data, fmt.Sprintf("%d data sections", len(data)))
	}
}

func bodySequence(e *env) {
	l, r := e.links()
	for _, seq := range [][][]any{{{int64(1), "a", true}}, {{"a"}, {"b"}}} {
		got := e.roundTrip(l, r, &amqp.Message{Sequence: seq})
		wantDeep(got.Sequence, seq, fmt.Sprintf("%d sequence sections", len(seq)))
	}
}

func bodyValue(e *env) {
	l, r := e.links()
	for _, v := range append(simpleValues(), compoundValues()...) {
		got := e.roundTrip(l, r, &amqp.Message{Value: v})
		wantDeep(decoded(got.Value), decoded(v), fmt.Sprintf("value %T", v))
	}
	got := e.roundTrip(l, r, &amqp.Message{Value: amqp.Null{}})
	if len(got.Data) > 0 {
		fail("a null value came as %v", got.Data)
	}
}

// decoded brings a value to the form in which go-amqp hands it out: symbols
// become strings, empty lists are not nil, maps with string keys map[string]any, times lose their zone.
func decoded(v any) any {
	switch v := v.(type) {
	case amqp.Symbol:
		return string(v)
	case []any:
		return append([]any{}, v...) // an empty list comes as nil
	case time.Time:
		return v.UTC()
	case []time.Time:
		utc := make([]time.Time, len(v))
		for i := range v {
			utc[i] = v[i].UTC()
		}
		return utc
	case map[any]any:
		for key := range v {
			if _, ok := key.(string); !ok {
				return v
			}
		}
		strings := map[string]any{}
		for key, value := range v {
			strings[key.(string)] = decoded(value)
		}
		return strings
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			out[key] = decoded(value)
		}
		return out
	default:
		return v
	}
}

func ptr[T any](v T) *T { return &v }

func allProperties(e *env) {
	l, r := e.links()
	for _, id := range []any{uint64(0), uint64(math.MaxUint64), amqp.UUID{7}, []byte{0, 1}, "id-1"} {
		p := &amqp.MessageProperties{
			MessageID: id, CorrelationID: id,
			UserID: []byte("user"), To: ptr("to"), Subject: ptr("subject"), ReplyTo: ptr("reply"),
			ContentType: ptr("text/plain"), ContentEncoding: ptr("gzip"),
			AbsoluteExpiryTime: ptr(time.UnixMilli(10_729_000_000_000).UTC()), CreationTime: ptr(moment),
			GroupID: ptr("group"), GroupSequence: ptr(uint32(7)), ReplyToGroupID: ptr("rg"),
		}
		got := e.roundTrip(l, r, &amqp.Message{Properties: p, Data: [][]byte{{1}}}).Properties
		*got.AbsoluteExpiryTime, *got.CreationTime = got.AbsoluteExpiryTime.UTC(), got.CreationTime.UTC()
		wantDeep(got, p, fmt.Sprintf("properties with a message-id of type %T", id))
	}
}

func applicationProperties(e *env) {
	l, r := e.links()
	for _, v := range simpleValues() {
		got := e.roundTrip(l, r, &amqp.Message{ApplicationProperties: map[string]any{"k": v}, Data: [][]byte{{1}}})
		wantDeep(decoded(got.ApplicationProperties["k"]), decoded(v), fmt.Sprintf("application-property %T", v))
	}
}

func annotations(e *env) {
	l, r := e.links()
	for _, v := range append(simpleValues(), compoundValues()...) {
		a := amqp.Annotations{"x-opt-a": v}
		got := e.roundTrip(l, r, &amqp.Message{Annotations: a, Data: [][]byte{{1}}, Footer: a})
		wantDeep(decoded(got.Annotations["x-opt-a"]), decoded(v), fmt.Sprintf("message-annotation %T", v))
		wantDeep(decoded(got.Footer["x-opt-a"]), decoded(v), fmt.Sprintf("footer %T", v))
	}
}

// headerFields: durable and priority are the sender's and stay as they are.
func headerFields(e *env) {
	l, r := e.links()
	for _, h := range []amqp.MessageHeader{{Priority: 4}, {Durable: true, Priority: 4}, {Durable: true, Priority: 9}, {Priority: 0}} {
		got := header(e.roundTrip(l, r, &amqp.Message{Header: &h, Data: [][]byte{{1}}}))
		want(got.Durable, h.Durable, "durable")
		want(got.Priority, h.Priority, "priority")
	}
}
