// Package browser clicks through the page of the fake Identomat in headless Chromium. It
// holds tests alone and is a module of its own, so that nobody who uses the SDK downloads
// a browser driver.
//
// The tests skip where no Chromium is installed, unless CI or IDENTOMAT_REQUIRE_BROWSER is
// set: then they fail. IDENTOMAT_PICTURES names a folder for the pictures, which are thrown
// away otherwise.
package browser
