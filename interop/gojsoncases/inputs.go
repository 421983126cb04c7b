package main

// inputs lists the cases: the rules of encoding/json one by one, each with its neighbours that are errors.
func inputs() [][]piece {
	var all [][]piece
	add := func(texts ...string) {
		for _, text := range texts {
			all = append(all, []piece{{text, 1}})
		}
	}
	field := func(name string, literals ...string) {
		for _, literal := range literals {
			add(`[{"` + name + `":` + literal + `}]`)
		}
	}

	// The outer value: null is a nil slice, anything but an array is a type error, only the first value is read.
	add(``, ` `, "\n", `null`, ` null `, `nullx`, `nul`, `nulL`, `Null`, `NULL`, `[]`, ` [ ] `, `{}`, `1`, `""`, `true`, `[`,
		`]`, `,`, `[null]`, `[null,null]`, `[{}]`, `[{},null,{}]`, `[[]]`, `[1]`, `["a"]`, `[true]`, `[{}`, `[{}]]`, `[{}] xyz`,
		`[{}][{}]`, `[]{`, `[] ,`, `[{}],`, `null]`, `[{},]`, `[,{}]`, `[{} {}]`, `[{},,{}]`, `[{}}`, `{"a":[]}`)

	// A whole item, its keys in other cases and with the two letters that fold into ASCII.
	add(`[{"endpoint":"h","metric":"m","value":1.5,"step":60,"counterType":"GAUGE","tags":"a=b","timestamp":1500000000}]`,
		`[{"Endpoint":"h","METRIC":"m","vALUE":1.5,"Step":60,"countertype":"GAUGE","Tags":"a=b","TimeStamp":1500000000}]`,
		`[{"tagſ":"long s","Kelvin":1,"Kelvin":2}]`, `[{"ſtep":60,"timeſtamp":1}]`, `[{"tag\u017f":"escaped key"}]`,
		`[{"endp\u006fint":"escaped"}]`, `[{"step":1,"STEP":2,"Step":3}]`, `[{"STEP":3,"step":1}]`, `[{"":1}]`, `[{"valu":1}]`,
		`[{"values":1}]`, `[{" value":1}]`, `[{"vąlue":1}]`, `[{"counter_type":"x","counter-type":"y"}]`, "[{\"v\xe1lue\":1}]")

	// Duplicate keys: the last wins; null leaves a scalar as it was and makes an interface nil.
	add(`[{"step":60,"step":30}]`, `[{"step":60,"step":null}]`, `[{"step":null,"step":60}]`, `[{"value":1,"value":null}]`,
		`[{"value":null,"value":"x"}]`, `[{"value":[1],"value":{"a":2}}]`, `[{"metric":"a","metric":null}]`,
		`[{"metric":"a","Metric":"b"}]`, `[{"step":"x","step":1}]`, `[{"value":1e999,"value":1}]`,
		`[{"endpoint":null,"metric":null,"value":null,"step":null,"counterType":null,"tags":null,"timestamp":null}]`)

	// Integers.
	field("step", `0`, `-0`, `-1`, `60`, `60.0`, `6e1`, `60E0`, `"60"`, `""`, `true`, `[]`, `{}`, `[1]`, `9223372036854775807`,
		`9223372036854775808`, `-9223372036854775808`, `-9223372036854775809`, `99999999999999999999999999`, `00`, `01`, `-01`,
		`+1`, `-`, `--1`, `1_000`, `0x10`, `1 `, ` 1`, `1 0`, `1e`, `NaN`, `Infinity`, `1.0e400`)

	// Floats behind an interface.
	field("value", `0`, `-0`, `0.0`, `-0.0`, `1.5`, `-1.5e-3`, `1e5`, `1E+5`, `1e-5`, `1e308`, `1.7976931348623157e308`,
		`1.7976931348623159e308`, `1e309`, `1e400`, `-1e400`, `1e-400`, `5e-324`, `2e-324`, `0e999999999999`, `9007199254740993`,
		`123456789012345678901234567890`, `0.1`, `2.2250738585072011e-308`, `.5`, `1.`, `1.e5`, `1e+`, `1e5.5`, `-.5`, `+1.5`,
		`01.5`, `NaN`, `nan`, `-Infinity`, `inf`, `0x1p4`, `1,5`, `1f`)

	// Other values behind an interface; what is inside arrays and objects is converted too, so it can overflow.
	field("value", `true`, `false`, `True`, `tru`, `truee`, `falsee`, `fals`, `null`, `nil`, `None`, `undefined`, `""`, `"1.5"`, `"x"`,
		`'x'`, `[]`, `{}`, `[1,"a",null,{"b":[true]}]`, `{"a":{"b":{"c":[]}}}`, `[1e400]`, `{"a":1e400}`, `[1,]`, `{"a":1,}`, `{"a"}`,
		`{"a":}`, `{:1}`, `{a:1}`, `{"a":1 "b":2}`, `{"a" 1}`, `{1:1}`, `[1 2]`, `[}`, `{]`, `[[]`, `"a" "b"`)
	// An unknown key is skipped without converting.
	add(`[{"other":1e400,"value":1}]`, `[{"other":[1e400,{"x":-1e999}],"value":1}]`, `[{"other":01}]`, `[{"other":"\x"}]`)

	// Strings.
	field("metric", `"plain"`, `1`, `1.5`, `true`, `[]`, `{}`, `null`, `"\"\\\/\b\f\n\r\t"`, `"\'"`, `"\v"`, `"\a"`, `"\0"`, `"\x41"`,
		`"\u0041"`, `"\u00e9\u4e2d"`, `"\u0000"`, `"\u001f"`, `"\u004"`, `"\u004g"`, `"\U00000041"`, `"\u"`, `"\`, `"`, `"abc`, `"\"`,
		"\"\x7f\"", "\"\t\"", "\"\n\"", "\"\x00\"", "\"\x1f\"", "\"\r\"", `"中文"`, `"😀"`, "\"\u2028\u2029\"", "\"\ufeff\"", "\"\ufffd\"",
		`"\u003c&;,*%"`)
	// Surrogates: a pair, halves, wrong orders, a half before other things.
	field("metric", `"\ud83d\ude00"`, `"\uD83D\uDE00"`, `"\ud83d"`, `"\ude00"`, `"\ude00\ud83d"`, `"\ud83d\ud83d\ude00"`,
		`"\ud83d\u0041"`, `"\ud83dx"`, `"\ud83d\n"`, `"\ud83d\ude0"`, `"\udbff\udfff"`, `"\ud800\udc00"`, `"\ud800\ud800"`,
		`"\udc00\udc00"`, `"\ud83d\\ude00"`, `"\ud7ff\ue000"`)
	// Invalid UTF-8: every byte of it one replacement character.
	field("metric", "\"\xff\"", "\"a\xffb\"", "\"\xc3\"", "\"\xc3(\"", "\"\xc0\xaf\"", "\"\xe4\xbd\"", "\"\xe4\xbdA\"",
		"\"\xed\xa0\x80\"", "\"\xed\xa0\xbd\xed\xb8\x80\"", "\"\xf0\x9f\x98\"", "\"\xf4\x90\x80\x80\"",
		"\"\xf8\x88\x80\x80\x80\"", "\"\x80\x81\"", "\"\\n\xff\\n\"", "\"\xe4\\u0041\"", "\"\xd6\xd0\xce\xc4\"")

	// White space, marks before the text, truncations.
	add(" \t\r\n[ \t\r\n{ \t\r\n\"step\" \t\r\n: \t\r\n60 \t\r\n} \t\r\n]", "\v[]", "\f[]", "\u00a0[]", "\u3000[]", "[\u00a0]", "\x00[]",
		"[]\x00", "\ufeff[]", "[]\ufeff", "\xff\xfe[\x00]\x00", `[{"step":60}`, `[{"step":60`, `[{"step":6`, `[{"step":`, `[{"step"`,
		`[{"step`, `[{"`, `[{`, `[{"value":tr`, `[{"value":-`, `[{"value":1.`, `[{"value":"a\u00`, `[{"value":[`, `[{"value":1}`,
		`[{"value":1},`, `// c`+"\n[]", `/* c */[]`, `[]// c`, `# c`+"\n[]", `[{"step"：60}]`, `[{“step”:60}]`)

	// Nesting: 10,000 levels are read, one more is an error. Depth counts the list and the item as well.
	deep := func(before, open string, count int, inner, close, after string) {
		all = append(all, []piece{{before, 1}, {open, count}, {inner, 1}, {close, count}, {after, 1}})
	}
	for _, count := range []int{9997, 9998, 9999} {
		deep(`[{"value":`, `[`, count, `1`, `]`, `}]`)
		deep(`[{"other":`, `[`, count, `1`, `]`, `,"step":7}]`)
		deep(`[{"value":`, `{"a":`, count, `1`, `}`, `}]`)
	}
	for _, count := range []int{9999, 10000, 10001} {
		deep(`[`, `[`, count-1, ``, `]`, `]`)
		deep(` `, `[`, count, ``, `]`, ``)
		all = append(all, []piece{{`[`, count}})
	}
	// A wide list and a long string are no depth.
	all = append(all, []piece{{`[{"step":1}`, 1}, {`,{"step":1}`, 3}, {`,{"value":[`, 1}, {`[],`, 20000}, {`[]]}]`, 1}},
		[]piece{{`[{"tags":"`, 1}, {`\ud83d`, 3}, {"\xff", 5}, {`"}]`, 1}},
		[]piece{{`[{"step":`, 1}, {`0`, 200}, {`}]`, 1}}, []piece{{`[{"value":1`, 1}, {`0`, 400}, {`}]`, 1}},
		[]piece{{`[{"value":0.`, 1}, {`0`, 400}, {`1}]`, 1}})
	return all
}
