package seal

// Verify verifies a response against a hash.
var Verify = verify
