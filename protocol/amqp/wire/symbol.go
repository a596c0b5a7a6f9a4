package wire

// knownSymbols are those that come often, so that reading them allocates nothing.
var knownSymbols = func() map[string]Symbol {
	known := make(map[string]Symbol)
	for _, s := range []Symbol{
		CondInternalError, CondNotFound, CondUnauthorizedAccess, CondDecodeError,
		CondResourceLimitExceeded, CondNotAllowed, CondInvalidField, CondNotImplemented,
		CondResourceLocked, CondPreconditionFailed, CondResourceDeleted, CondIllegalState,
		CondFrameSizeTooSmall, CondConnectionForced, CondFramingError, CondConnectionRedirect,
		CondWindowViolation, CondErrantLink, CondHandleInUse, CondUnattachedHandle,
		CondDetachForced, CondTransferLimitExceeded, CondMessageSizeExceeded, CondLinkRedirect,
		CondStolen, CondTransactionUnknownID, CondTransactionRollback, CondTransactionTimeout,
		TxnLocal, TxnDistributed, TxnPromotable, TxnMultiplePerSession, TxnMultipleSessionsEach,
		ExpiryLinkDetach, ExpirySessionEnd, ExpiryConnectionClose, ExpiryNever,
		DistributionMove, DistributionCopy, "ANONYMOUS", "PLAIN", "EXTERNAL",
	} {
		known[string(s)] = s
	}
	for _, name := range descriptorNames {
		known[name] = Symbol(name)
	}
	return known
}()

// internSymbol returns p as a symbol of its own memory.
func internSymbol(p []byte) Symbol {
	if s, ok := knownSymbols[string(p)]; ok {
		return s
	}
	return Symbol(p)
}
