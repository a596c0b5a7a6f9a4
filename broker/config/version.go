package config

import "runtime/debug"

// Version is what the binary was built from: the module's version, which the
// Go tool derives from the tag or commit of the checkout.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "devel"
}
