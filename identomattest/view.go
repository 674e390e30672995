package identomattest

import "net/url"

// write writes the page that customers see.
func (p *page) write(m *markup) {
	title := p.T("state_" + p.State)
	if p.Step != nil {
		title = p.T("step_of", p.Number, p.Total) + ": " + p.Step.Title.Text
	} else if p.State == "open" {
		title = p.T("decide_title")
	}
	m.head(p.Lang, p.Dir, title+" – Fake Identomat", p.Nonce, "widget.css")
	m.file("icons.svg")
	m.add(`<p class="fake" role="note"><strong>{}</strong> <span>{}</span></p>
`, p.T("fake"), p.T("fake_long"))
	if len(p.Steps) > 0 {
		m.add("<div class=\"frame\">\n")
		p.writeSteps(m)
	} else {
		m.add("<div class=\"frame alone\">\n")
	}
	m.add("<main>\n")
	switch {
	case p.Step != nil:
		p.writeStep(m, p.Step)
	case p.State == "open":
		p.writeDecision(m)
	default:
		p.writeState(m)
	}
	m.add("</main>\n</div>\n<footer>")
	m.when(p.Name != "", `<span dir="auto">{}</span> · `, p.Name)
	m.add("{} <code dir=\"ltr\">{}</code></footer>\n", p.T("session"), p.Token)
	script := ""
	if p.Step != nil || p.State == "done" {
		script = "widget.js"
	}
	m.foot(p.Nonce, script)
}

// writeSteps writes the list of the steps and of the decision.
func (p *page) writeSteps(m *markup) {
	m.add(`<nav aria-labelledby="steps">
  <h2 id="steps">{}</h2>
  <ol>
`, p.T("steps"))
	for _, step := range p.Steps {
		m.add(`    <li class="`)
		m.when(step.Done, "done")
		m.when(step.InCall, " nested")
		m.add(`"`)
		m.when(step.Current, ` aria-current="step"`)
		m.add(">")
		m.phrase(step.Title)
		m.when(step.Done, ` <span class="visually-hidden">({})</span>`, p.T("done_mark"))
		m.add("</li>\n")
	}
	m.add("    <li")
	m.when(p.Step == nil, ` aria-current="step"`)
	m.add(">{}</li>\n  </ol>\n</nav>\n", p.T("decision"))
}

// writeStep writes the form of the current step.
func (p *page) writeStep(m *markup, step *stepView) {
	m.add(`<p class="progress"><span id="progress">{}</span><progress aria-labelledby="progress" max="{}" value="{}"></progress></p>
<header>
  `, p.T("step_of", p.Number, p.Total), p.Total, p.Number)
	m.icon(step.Icon)
	m.add("\n  <div>")
	m.when(step.InCall, `<p class="tag">{}</p>`, p.T("in_call"))
	m.when(step.Operator, `<p class="tag">{}</p>`, p.T("operator"))
	m.add("\n    <h1>")
	m.phrase(step.Title)
	m.add("</h1>")
	if step.Description.Text != "" {
		m.add(`<p class="lead">`)
		m.phrase(step.Description)
		m.add("</p>")
	}
	m.add("\n  </div>\n</header>\n")
	if step.Checked {
		p.writeProblems(m, step.Problems)
	}
	m.when(p.Desktop && step.First, "<p class=\"note desktop\">{}</p>\n", p.T("desktop"))
	for _, note := range step.Notes {
		m.add("<p class=\"note\">{}</p>\n", note)
	}
	if len(step.Summary) > 0 {
		m.add("<dl>")
		for _, e := range step.Summary {
			m.add(`<div><dt>{}</dt><dd dir="auto">{}</dd></div>`, e.Label, e.Value)
		}
		m.add("</dl>\n")
	}
	// Pressing Enter submits the form with its first button.
	m.add(`<form method="post" action="/" enctype="multipart/form-data" novalidate>
  <input type="hidden" name="session_token" value="{}">
  <input type="hidden" name="step" value="{}">
  <button class="enter" name="action" value="next" tabindex="-1" aria-hidden="true"></button>
`, p.Token, step.Key)
	for _, group := range step.Groups {
		if group.Legend != "" {
			m.add("<fieldset class=\"card\">\n  <legend>{}</legend>\n", group.Legend)
			m.when(group.Note != "", "  <p class=\"hint\">{}</p>\n", group.Note)
		}
		for _, in := range group.Inputs {
			p.writeInput(m, in)
		}
		m.when(group.Legend != "", `<button class="quiet" name="action" value="{}">{}<span class="visually-hidden">: {}</span></button>
</fieldset>
`, group.Remove, p.T("remove"), group.Legend)
	}
	if len(step.Adds) > 0 {
		m.add(`<p class="adds">`)
		for _, button := range step.Adds {
			m.add(`<button class="quiet" name="action" value="{}">`, button.Value)
			m.phrase(button.Label)
			m.add("</button>")
		}
		m.add("</p>\n")
	}
	m.add("<p class=\"buttons\">\n  <button class=\"first\" name=\"action\" value=\"next\">")
	m.phrase(step.Submit)
	m.add("</button>\n")
	m.when(!step.First || step.Waiting, "  <button name=\"action\" value=\"back\">{}</button>\n", p.T("back"))
	m.add(`</p>
</form>
<form class="skip" method="post" action="/">
  <input type="hidden" name="session_token" value="{}">
  <button class="quiet" name="action" value="finish">{}</button>
</form>
`, p.Token, p.T("to_end"))
}

// writeProblems writes what is wrong with a submitted form.
func (p *page) writeProblems(m *markup, problems []*input) {
	m.add("<div class=\"problems\" role=\"alert\" tabindex=\"-1\" autofocus>\n")
	if len(problems) == 0 {
		m.add("<p>{}</p>", p.T("more_questions"))
	} else {
		m.add("<p><strong>{}</strong></p>\n<ul>", p.T("check_again"))
		for _, in := range problems {
			m.add(`<li><a href="#{}">`, url.PathEscape(in.ID))
			m.phrase(in.Label)
			m.add("</a>: {}</li>", in.Error)
		}
		m.add("</ul>")
	}
	m.add("\n</div>\n")
}

// writeDecision writes the form that decides the session.
func (p *page) writeDecision(m *markup) {
	m.add("<header>\n  ")
	m.icon("check")
	m.add(`
  <div><h1>{}</h1><p class="lead">{}</p></div>
</header>
<form method="post" action="/">
  <input type="hidden" name="session_token" value="{}">
  <div class="field">
    <label for="person">{}</label>
    <select id="person" name="person">`, p.T("decide_title"), p.T("decide_text"), p.Token, p.T("person"))
	for _, person := range p.People {
		m.add(`<option value="{}"`, person.Value)
		m.when(person.Checked, " selected")
		m.add(">{}</option>", person.Label.Text)
	}
	m.add(`</select>
  </div>
  <div class="field">
    <label for="reason">{}</label>
    <select id="reason" name="reason">`, p.T("reason"))
	for _, reason := range p.Reasons {
		m.add("<option>{}</option>", reason)
	}
	m.add(`</select>
  </div>
  <p class="buttons decide">
    <button class="first" name="decision" value="approve">{}</button>
    <button class="bad" name="decision" value="reject">{}</button>
    <button name="decision" value="manual_check">{}</button>
  </p>
</form>
<form class="skip" method="post" action="/">
  <input type="hidden" name="session_token" value="{}">
`, p.T("approve"), p.T("reject"), p.T("manual"), p.Token)
	m.when(len(p.Steps) > 0, "  <button class=\"quiet\" name=\"action\" value=\"back\">{}</button>\n", p.T("back"))
	m.add("  <button class=\"quiet\" name=\"action\" value=\"restart\">{}</button>\n</form>\n", p.T("restart"))
}

// writeState writes why a session is not open.
func (p *page) writeState(m *markup) {
	decided := p.State == "done" || p.State == "finished"
	icon := "clock"
	switch {
	case p.State == "unknown":
		icon = "question"
	case decided && p.Outcome == "approved":
		icon = "check"
	case decided && p.Outcome == "rejected":
		icon = "cross"
	}
	m.add("<header class=\"state {}\">\n  ", p.State)
	m.icon(icon)
	m.add("\n  <div>\n    <h1>{}</h1>\n", p.T("state_"+p.State))
	m.when(decided, "    <p class=\"outcome {}\">{} <code dir=\"ltr\">{}</code></p>\n", p.Outcome, p.OutcomeText(), p.Outcome)
	m.add("  </div>\n</header>\n")
	switch p.State {
	case "done":
		m.add(`<p id="parent-notified" hidden>{}</p>
<p id="not-notified">{}</p>
<p>{}</p>
`, p.T("parent_notified"), p.T("not_notified"), p.T("done_text"))
	case "early":
		m.add("<p>{} <time dir=\"ltr\" datetime=\"{}\">{}</time>.</p>\n", p.T("opens_at"), p.Opens, p.Opens)
	case "unknown":
		m.add("<p>{}</p>\n", p.T("unknown_text"))
	default:
		m.add("<p>{}</p>\n", p.T("new_session"))
	}
}

// writeInput writes one field of a form.
func (p *page) writeInput(m *markup, in *input) {
	m.add(`<div class="field`)
	m.when(in.Error != "", " wrong")
	m.add(`"`)
	m.when(in.When != "", ` data-when="{}" data-is="{}"`, in.When, in.Is)
	m.when(in.Hidden, " hidden")
	m.add(">\n")
	if in.When != "" {
		m.add(`<input type="hidden" name="shown" value="{}"`, in.Name)
		m.when(in.Hidden, " disabled")
		m.add(">")
	}
	switch in.Kind {
	case "radio", "checkbox":
		m.add(`<fieldset id="{}" tabindex="-1"`, in.ID)
		m.when(in.Error != "", ` aria-invalid="true"`)
		m.add(` aria-describedby="{}-hint {}-error"`, in.ID, in.ID)
		if in.Kind == "radio" {
			m.add(` role="radiogroup"`)
			m.when(in.Required, ` aria-required="true"`)
		}
		m.add(">\n<legend>")
		p.writeLabel(m, in)
		m.add("</legend>")
		in.writeNotes(m)
		m.add("\n<div class=\"options\">")
		for _, option := range in.Options {
			m.add(`<label class="option"><input type="{}" name="{}" value="{}"`, in.Kind, in.Name, option.Value)
			m.when(option.Checked, " checked")
			m.when(in.ReadOnly, " disabled")
			m.add("><span>")
			m.phrase(option.Label)
			m.add("</span></label>\n")
		}
		m.add("</div>\n</fieldset>\n")
	case "boolean":
		m.add(`<label class="option"><input id="{}" type="checkbox" name="{}" value="true"`, in.ID, in.Name)
		m.when(in.Value != "", " checked")
		m.when(in.ReadOnly, " disabled")
		m.when(in.Error != "", ` aria-invalid="true"`)
		m.add(` aria-describedby="{}-hint {}-error"><span>`, in.ID, in.ID)
		m.phrase(in.Label)
		m.add("</span></label>")
		in.writeNotes(m)
	default:
		m.add(`<label for="{}">`, in.ID)
		p.writeLabel(m, in)
		m.add("</label>")
		in.writeNotes(m)
		m.add("\n")
		p.writeControl(m, in)
	}
	m.add("</div>\n")
}

func (p *page) writeLabel(m *markup, in *input) {
	m.phrase(in.Label)
	m.when(!in.Required, ` <span class="optional">({})</span>`, p.T("optional"))
}

func (in *input) writeNotes(m *markup) {
	if in.Hint.Text != "" {
		m.add(`<p class="hint" id="{}-hint">`, in.ID)
		m.phrase(in.Hint)
		m.add("</p>")
	}
	m.when(in.Error != "", `<p class="error" id="{}-error">{}</p>`, in.ID, in.Error)
}

// writeControl writes a list, a choice of files or a text field.
func (p *page) writeControl(m *markup, in *input) {
	aria := func() {
		m.when(in.Error != "", ` aria-invalid="true"`)
		m.when(in.Required, ` aria-required="true"`)
		m.add(` aria-describedby="{}-hint {}-error">`, in.ID, in.ID)
	}
	switch in.Kind {
	case "select":
		m.add(`<select id="{}" name="{}"`, in.ID, in.Name)
		m.when(in.Multiple, " multiple")
		m.when(in.ReadOnly, " disabled")
		aria()
		for _, option := range in.Options {
			m.add(`<option value="{}"`, option.Value)
			m.when(option.Checked, " selected")
			m.when(option.Label.Lang != "", ` lang="{}"`, option.Label.Lang)
			m.add(">{}</option>", option.Label.Text)
		}
		m.add("</select>\n")
	case "file":
		m.add(`<input id="{}" type="file" name="{}" accept="{}"`, in.ID, in.Name, in.Accept)
		m.when(in.Multiple, " multiple")
		aria()
		m.when(in.Uploaded > 0, `<p class="hint">{}</p>`, p.T("uploaded", in.Uploaded))
		m.add("\n")
	default:
		kind := in.Kind
		if kind == "code" {
			kind = "text"
		}
		m.add(`<input id="{}" type="{}" name="{}" value="{}"`, in.ID, kind, in.Name, in.Value)
		switch in.Kind {
		case "code":
			m.add(` inputmode="numeric" class="code" dir="ltr"`)
		case "tel", "email", "url":
			m.add(` dir="ltr"`)
		case "text":
			m.add(` dir="auto"`)
		}
		m.when(in.Autocomplete != "", ` autocomplete="{}"`, in.Autocomplete)
		m.when(in.ReadOnly, " readonly")
		aria()
		m.add("\n")
	}
}
