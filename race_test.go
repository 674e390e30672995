//go:build race

package identomat_test

const raceEnabled = true
