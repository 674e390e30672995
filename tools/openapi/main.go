// Command openapi maintains the OpenAPI descriptions of Identomat and iDenfy. Run it from the root of the
// repository:
//
//	go run ./tools/openapi                          # writes the descriptions
//	go run ./tools/openapi -check                   # fails if they do not match the code, the inventory or the samples
//	go run ./tools/openapi -check -exchanges FILE   # also validates what the tests of the fake exchange
//
// IDENTOMAT_EXCHANGES=FILE go test -count=1 ./identomattest writes FILE.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	check := flag.Bool("check", false, "check the descriptions instead of writing them")
	exchanges := flag.String("exchanges", "", "with -check, also validate the exchanges in this `file`")
	flag.Parse()
	if err := run(*check, *exchanges); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const (
	identomatFile = "identomattest/openapi.json"
	idenfyFile    = "idenfy/idenfytest/openapi.json"
)

// descriptions are the files, and the functions that return their content for the repository in a folder.
var descriptions = []struct {
	file     string
	describe func(root string) (object, error)
}{
	{identomatFile, describeIdentomat},
	{idenfyFile, describeIdenfy},
}

func run(check bool, exchanges string) error {
	for _, d := range descriptions {
		description, err := d.describe(".")
		if err != nil {
			return err
		}
		data, err := indent(description)
		if err != nil {
			return err
		}
		if !check {
			if err := os.WriteFile(d.file, data, 0o644); err != nil {
				return err
			}
			continue
		}
		written, err := os.ReadFile(d.file)
		if err != nil {
			return err
		}
		if !bytes.Equal(written, data) {
			return fmt.Errorf("%s does not match the code: run go run ./tools/openapi", d.file)
		}
		v, err := newValidator(data)
		if err != nil {
			return err
		}
		n, err := v.validateExamples()
		if err != nil {
			return fmt.Errorf("%s: %w", d.file, err)
		}
		fmt.Printf("%s: %d documented samples match\n", d.file, n)
		if d.file != identomatFile {
			continue
		}
		if err := compare(os.Stdout, data, "testdata/inventory.json"); err != nil {
			return err
		}
		if exchanges != "" {
			if err := v.report(exchanges); err != nil {
				return err
			}
		}
	}
	return nil
}

// report validates the exchanges in a file, and prints the counts.
func (v *validator) report(exchanges string) error {
	t, err := v.validateExchanges(exchanges)
	if err != nil {
		return err
	}
	for _, text := range t.wrong {
		fmt.Println(text)
	}
	fmt.Printf("%d exchanges with the fake: %d requests and %d responses are valid, %d are not. %d responses with faults are left out.\n",
		t.exchanges, t.requests, t.responses, len(t.wrong), t.faults)
	fmt.Printf("The fake refuses %d requests. The description refuses %d of them, too.\n", t.refused, t.agreed)
	if len(t.wrong) > 0 || t.exchanges < 1000 {
		return errors.New("exchanges are missing or do not match the description")
	}
	return nil
}
