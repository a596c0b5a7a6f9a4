package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. It is written as a number with an optional unit:
// 65536, 64KiB, 1.5GiB, 10MB.
type Size int64

// The binary units. KB, MB, GB and TB, powers of 1000, are understood too.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
	TiB Size = 1 << 40
)

// sizeUnits are tried in this order, so a unit stands before its own ending.
var sizeUnits = []struct {
	suffix string
	bytes  int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40},
	{"b", 1},
}

// ParseSize reads a size as people write it. Capitals and a space before the
// unit do not matter. It refuses what is negative or beyond 2^63-1.
func ParseSize(text string) (Size, error) {
	number, scale := strings.ToLower(strings.TrimSpace(text)), int64(1)
	for _, unit := range sizeUnits {
		if rest, ok := strings.CutSuffix(number, unit.suffix); ok {
			number, scale = strings.TrimSpace(rest), unit.bytes
			break
		}
	}
	// Whole numbers keep all their digits: a float64 would round above 2^53.
	if whole, err := strconv.ParseUint(number, 10, 63); err == nil && int64(whole) <= math.MaxInt64/scale {
		return Size(int64(whole) * scale), nil
	}
	value, err := strconv.ParseFloat(number, 64)
	value *= float64(scale)
	if err != nil || !(value >= 0 && value < math.MaxInt64) {
		return 0, fmt.Errorf("%q is no size; write it like 65536, 64KiB or 1.5GiB", text)
	}
	return Size(value), nil
}

// String writes the size with the largest binary unit that divides it.
func (s Size) String() string {
	units := [...]struct {
		suffix string
		bytes  Size
	}{{"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}}
	for _, unit := range units {
		if s != 0 && s%unit.bytes == 0 {
			return strconv.FormatInt(int64(s/unit.bytes), 10) + unit.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// UnmarshalJSON takes a number of bytes, or a string as ParseSize does.
func (s *Size) UnmarshalJSON(text []byte) error {
	size, err := ParseSize(strings.Trim(string(text), `"`))
	if err == nil {
		*s = size
	}
	return err
}

// ParseDuration reads a duration as Go writes it (1h30m, 250ms), and days
// besides (7d, 1d12h), since a time to live is often counted in them. A bare 0
// needs no unit. It refuses what is negative.
func ParseDuration(text string) (time.Duration, error) {
	rest, total := strings.TrimSpace(text), time.Duration(0)
	days, after, hasDays := strings.Cut(rest, "d")
	if hasDays {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, durationError(text)
		}
		total, rest = time.Duration(n)*24*time.Hour, after
	}
	if rest != "" || !hasDays {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 || total+d < 0 {
			return 0, durationError(text)
		}
		total += d
	}
	return total, nil
}

func durationError(text string) error {
	return fmt.Errorf("%q is no duration; write it like 250ms, 30s, 1h30m or 7d", text)
}

// FormatDuration writes a duration as short as ParseDuration can read it.
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	text := d.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}
