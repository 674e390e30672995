// Package browser drives headless Chromium for tests: its own, which click through the page
// of the fake Identomat, and those of examples/webapp. It is a module of its own, so that
// nobody who uses the SDK downloads a browser driver.
//
// The tests skip where no Chromium is installed, unless CI or IDENTOMAT_REQUIRE_BROWSER is
// set: then they fail. IDENTOMAT_PICTURES names a folder for the pictures, which are thrown
// away otherwise.
package browser
