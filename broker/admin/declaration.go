package admin

import (
	"time"

	"entrepot/broker/config"
)

// Declaration is what may be said about one queue. A value that is not given
// (nil) is the policy's, so {} means: what the policy says. A value that is
// given may only narrow it. Keys and notation are those of a policy in the
// configuration file.
type Declaration struct {
	TTLDefault    *Duration `json:"ttl_default,omitempty"`
	TTLMin        *Duration `json:"ttl_min,omitempty"`
	TTLMax        *Duration `json:"ttl_max,omitempty"`
	MaxMessages   *uint64   `json:"max_messages,omitempty"`
	MaxBytes      *Size     `json:"max_bytes,omitempty"`
	MaxDeliveries *uint32   `json:"max_deliveries,omitempty"`
	MaxUnsettled  *uint32   `json:"max_unsettled,omitempty"`
}

// Duration is a time span, in JSON a string such as "30s" or "7d".
type Duration time.Duration

// Size is a number of bytes, in JSON a number or a string such as "64KiB".
type Size = config.Size
