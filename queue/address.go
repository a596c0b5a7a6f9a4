package queue

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxNameLen is the longest name of an address, in bytes of UTF-8.
const MaxNameLen = 1024

// ValidateName tells what is wrong with the name of an address, nil if nothing.
//
// A name is 1 to MaxNameLen bytes of UTF-8 without control characters. "/"
// separates its levels. A level may be empty, because clients do write
// "/a" and "a/": these are names of their own. A level may not be "*" or "#",
// which would read as a pattern.
func ValidateName(name string) error {
	switch {
	case name == "":
		return errors.New("address name is empty")
	case len(name) > MaxNameLen:
		return fmt.Errorf("address name has %d bytes, at most %d are allowed", len(name), MaxNameLen)
	case !utf8.ValidString(name):
		return errors.New("address name is not UTF-8")
	}
	for i := 0; i < len(name); i++ {
		if name[i] < 0x20 || name[i] == 0x7f {
			return fmt.Errorf("address name has a control character at byte %d", i)
		}
	}
	for level := range strings.SplitSeq(name, "/") {
		if level == anyLevel || level == anyRest {
			return fmt.Errorf("address name has a wildcard %q as a level", level)
		}
	}
	return nil
}
