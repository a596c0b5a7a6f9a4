package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"entrepot/broker/config"
	"entrepot/queue"
)

// Declaration is what may be said about one queue. A value that is not given,
// or 0, is the policy's, so {} means: what the policy says. A value that is
// given may only narrow it. Keys and notation are those of a policy in the
// configuration file.
type Declaration struct {
	TTLDefault    Duration `json:"ttl_default,omitzero"`
	TTLMin        Duration `json:"ttl_min,omitzero"`
	TTLMax        Duration `json:"ttl_max,omitzero"`
	MaxMessages   uint64   `json:"max_messages,omitzero"`
	MaxBytes      Size     `json:"max_bytes,omitzero"`
	MaxDeliveries uint32   `json:"max_deliveries,omitzero"`
	MaxUnsettled  uint32   `json:"max_unsettled,omitzero"`
}

// DeclarationOf shows limits as a declaration.
func DeclarationOf(l queue.Limits) Declaration {
	return Declaration{
		TTLDefault:    Duration(l.TTLDefault),
		TTLMin:        Duration(l.TTLMin),
		TTLMax:        Duration(l.TTLMax),
		MaxMessages:   l.MaxMessages,
		MaxBytes:      Size(l.MaxBytes),
		MaxDeliveries: l.MaxDeliveries,
		MaxUnsettled:  l.MaxUnsettled,
	}
}

// Limits are the declared values as the queues know them.
func (d Declaration) Limits() queue.Limits {
	return queue.Limits{
		TTLDefault:    time.Duration(d.TTLDefault),
		TTLMin:        time.Duration(d.TTLMin),
		TTLMax:        time.Duration(d.TTLMax),
		MaxMessages:   d.MaxMessages,
		MaxBytes:      uint64(d.MaxBytes),
		MaxDeliveries: d.MaxDeliveries,
		MaxUnsettled:  d.MaxUnsettled,
	}
}

// Size is a number of bytes; in JSON a number, or a string such as "64KiB".
type Size = config.Size

// Duration is a time span; in JSON a string such as "30s" or "7d".
type Duration time.Duration

// MarshalJSON writes it as people do.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(config.FormatDuration(time.Duration(d)))
}

// UnmarshalJSON takes nothing but a string: of a bare number nobody knows
// whether it counts seconds or milliseconds.
func (d *Duration) UnmarshalJSON(text []byte) error {
	inner, ok := bytes.CutPrefix(text, []byte(`"`))
	if !ok {
		return fmt.Errorf(`%s is no duration; write it like "250ms", "30s", "1h30m" or "7d"`, text)
	}
	span, err := config.ParseDuration(string(bytes.TrimSuffix(inner, []byte(`"`))))
	*d = Duration(span)
	return err
}

// ParseDeclaration reads a declaration. Nothing at all is {}. Its errors are
// made for whoever wrote the text and name the key.
func ParseDeclaration(text []byte) (Declaration, error) {
	var d Declaration
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&d)
	if errors.Is(err, io.EOF) {
		return d, nil
	}
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is something behind the declaration")
		}
	}
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return d, nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return d, fmt.Errorf("%s wants a whole number from 0, not %s", wrong.Field, wrong.Value)
	case errors.As(err, &wrong):
		return d, fmt.Errorf("a declaration is an object such as {}, not %s", wrong.Value)
	}
	return d, errors.New(strings.TrimPrefix(err.Error(), "json: "))
}
