// Command openapi maintains the OpenAPI descriptions of Identomat and iDenfy. Run it from the root of the
// repository:
//
//	go run ./tools/openapi                    # writes the descriptions
//	go run ./tools/openapi -check             # fails if they do not match the code
//	go run ./tools/openapi -exchanges FILE    # validates recorded exchanges
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	check := flag.Bool("check", false, "compare the descriptions with the code instead of writing them")
	exchanges := flag.String("exchanges", "", "validate the exchanges in this file, which the tests of identomattest record")
	flag.Parse()
	if err := run(*check, *exchanges); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const identomatFile = "identomattest/openapi.json"

func run(check bool, exchanges string) error {
	description, err := describeIdentomat(".")
	if err != nil {
		return err
	}
	data, err := indent(description)
	if err != nil {
		return err
	}
	if !check && exchanges == "" {
		return os.WriteFile(identomatFile, data, 0o644)
	}
	written, err := os.ReadFile(identomatFile)
	if err != nil {
		return err
	}
	if !bytes.Equal(written, data) {
		return fmt.Errorf("%s does not match the code: run go run ./tools/openapi", identomatFile)
	}
	if err := compare(os.Stdout, written, "testdata/inventory.json"); err != nil {
		return err
	}
	v, err := newValidator(written)
	if err != nil {
		return err
	}
	if exchanges != "" {
		t, err := v.validateExchanges(exchanges)
		if err != nil {
			return err
		}
		for _, text := range t.refused {
			fmt.Println(text)
		}
		fmt.Printf("\n%d exchanges: %d requests and %d responses match, %d do not; %d faults; %d requests that the fake refuses, %d of which the description refuses, too\n",
			t.exchanges, t.requests, t.responses, len(t.refused), t.faults, t.refusedByFake, t.agreed)
		if len(t.refused) > 0 || t.exchanges < 1000 {
			return errors.New("exchanges are missing or do not match the description")
		}
	}
	return nil
}
