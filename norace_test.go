//go:build !race

package identomat_test

const raceEnabled = false
