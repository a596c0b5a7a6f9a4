package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "65536": 65536, "64KiB": 65536, "64 kib": 65536, "64k": 65536, "1.5GiB": 3 * GiB / 2,
		"10MB": 10_000_000, "7B": 7, "2tb": 2e12, "1TiB": TiB, "9223372036854775807": 1<<63 - 1,
		"9007199254740993": 1<<53 + 1, // a float64 has no such number
	} {
		got, err := ParseSize(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "KiB", "-1", "-1KiB", "1XB", "NaN", "Inf", "1e30", "9223372036854775808", "8388608TiB", "1 2"} {
		_, err := ParseSize(text)
		require.ErrorContains(t, err, "is no size", text)
	}
}

func TestSizeReadsWhatItWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := Size(rapid.Int64Range(0, 1<<63-1).Draw(t, "size"))
		if rapid.Bool().Draw(t, "round") {
			size = size >> 30 << 30 // so that units come into play
		}
		back, err := ParseSize(size.String())
		require.NoError(t, err)
		require.Equal(t, size, back)
	})
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "250ms": 250 * time.Millisecond, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "1d12h": 36 * time.Hour, "0d": 0,
	} {
		got, err := ParseDuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "5", "-1s", "d", "1dd", "1d-1h", "1x", "99999d99999999h"} {
		_, err := ParseDuration(text)
		require.ErrorContains(t, err, "is no duration", text)
	}
}

func TestFormatDuration(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "7d": 168 * time.Hour, "25h": 25 * time.Hour, "1h30m": 90 * time.Minute, "20m": 20 * time.Minute, "1m1s": 61 * time.Second, "10s": 10 * time.Second,
	} {
		require.Equal(t, want, FormatDuration(d))
		back, err := ParseDuration(want)
		require.NoError(t, err)
		require.Equal(t, d, back)
	}
}
