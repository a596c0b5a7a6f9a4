package amqpclient

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/Azure/go-amqp"
)

// NewMessage is a durable message with one data section.
func NewMessage(body []byte, ttl time.Duration, properties map[string]any) *amqp.Message {
	m := amqp.NewMessage(body)
	m.Header = &amqp.MessageHeader{Durable: true, TTL: ttl}
	m.ApplicationProperties = properties
	return m
}

// Shown is a message as "entrepot receive -o json" writes it.
type Shown struct {
	Body          any            `json:"body,omitempty"`        // text, or the amqp-value or amqp-sequence as JSON
	BodyBase64    string         `json:"body_base64,omitempty"` // instead of Body, for data that is no UTF-8
	MessageID     any            `json:"message_id,omitempty"`
	CorrelationID any            `json:"correlation_id,omitempty"`
	Subject       *string        `json:"subject,omitempty"`
	ContentType   *string        `json:"content_type,omitempty"`
	TTLMillis     int64          `json:"ttl_ms,omitempty"` // what remains of it
	DeliveryCount uint32         `json:"delivery_count"`
	Properties    map[string]any `json:"properties,omitempty"` // application-properties
	Annotations   map[string]any `json:"annotations,omitempty"`
}

// Show makes a message fit for JSON.
func Show(m *amqp.Message) Shown {
	s := Shown{Properties: m.ApplicationProperties}
	if data := joinData(m); data != nil {
		if utf8.Valid(data) {
			s.Body = string(data)
		} else {
			s.BodyBase64 = base64.StdEncoding.EncodeToString(data)
		}
	} else if m.Value != nil {
		s.Body = plain(m.Value)
	} else if m.Sequence != nil {
		s.Body = plain(m.Sequence)
	}
	if m.Header != nil {
		s.TTLMillis, s.DeliveryCount = m.Header.TTL.Milliseconds(), m.Header.DeliveryCount
	}
	if p := m.Properties; p != nil {
		s.MessageID, s.CorrelationID = plain(p.MessageID), plain(p.CorrelationID)
		s.Subject, s.ContentType = p.Subject, p.ContentType
	}
	for key, value := range m.Annotations {
		if s.Annotations == nil {
			s.Annotations = map[string]any{}
		}
		s.Annotations[fmt.Sprint(key)] = plain(value)
	}
	for key, value := range m.ApplicationProperties {
		s.Properties[key] = plain(value)
	}
	return s
}

// plain makes a value that encoding/json refuses (a map with keys that are no
// strings, NaN) into its text.
func plain(value any) any {
	if _, err := json.Marshal(value); err != nil {
		return fmt.Sprint(value)
	}
	return value
}

// WriteText writes the body and a line feed: the bytes as they are, and any
// other kind of body as Go prints it.
func WriteText(w io.Writer, m *amqp.Message) error {
	body := joinData(m)
	switch {
	case body != nil:
	case m.Value != nil:
		body = fmt.Append(nil, m.Value)
	case m.Sequence != nil:
		body = fmt.Append(nil, m.Sequence)
	}
	_, err := w.Write(append(body, '\n'))
	return err
}

// joinData is the body out of its data sections; nil if it has none.
func joinData(m *amqp.Message) []byte {
	if len(m.Data) == 1 {
		return m.Data[0]
	}
	var all []byte
	for _, part := range m.Data {
		all = append(all, part...)
	}
	return all
}
