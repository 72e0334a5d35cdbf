//! The schema and the reader know the same keys, the same words, the same defaults. Each table of the schema is put before the reader with
//! mistakes in it, and the reader says itself what would be right.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hxsim::Scenario;
use hxsim::figure::{FIGURES, Figure};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::snapshot::tests;

fn schema() -> Value {
    serde_json::from_str(Scenario::SCHEMA).expect("the schema is JSON")
}

fn validator() -> Validator {
    jsonschema::validator_for(&schema()).expect("the schema is one")
}

/// A table of scenarios: where it stands, and one of its variants.
#[derive(Clone)]
struct Table {
    /// Keys, and places in arrays.
    path: Vec<String>,
    schema: Map<String, Value>,
    /// A scenario in which it may stand, without it.
    around: Value,
}

/// A schema with what its `$ref` says.
fn resolved(root: &Value, schema: &Value) -> Value {
    let Some(reference) = schema["$ref"].as_str() else {
        return schema.clone();
    };
    let target = root.pointer(&reference[1..]);
    let mut whole = resolved(root, target.expect("a reference leads somewhere"));
    let map = whole.as_object_mut().expect("a schema is an object");
    let own = schema.as_object().expect("a schema is an object");
    map.extend(own.clone().into_iter().filter(|(key, _)| key != "$ref"));
    whole
}

/// The variants of a schema that are tables.
fn variants(root: &Value, schema: &Value) -> Vec<Value> {
    let schema = resolved(root, schema);
    if schema["properties"].is_object() {
        return alternatives(&schema);
    }
    let any = schema.get("oneOf").or_else(|| schema.get("anyOf"));
    let each = any.and_then(Value::as_array).into_iter().flatten();
    each.flat_map(|variant| variants(root, variant)).collect()
}

/// A table for each of the alternatives of which it requires one.
fn alternatives(table: &Value) -> Vec<Value> {
    let of = |key: &str| -> Vec<Vec<Value>> {
        let each = table[key].as_array().into_iter().flatten();
        each.map(|it| it["required"].as_array().cloned().unwrap_or_default())
            .collect()
    };
    // Of what some is enough of, the first is.
    let enough = of("anyOf").into_iter().next().unwrap_or_default();
    let all = of("oneOf");
    let exclusive: Vec<_> = all.iter().flatten().filter_map(Value::as_str).collect();
    let each = if all.is_empty() {
        vec![vec![]]
    } else {
        all.clone()
    };
    let with = |alternative: &Vec<Value>| {
        let mut one = table.clone();
        let own = one["required"].as_array().cloned().unwrap_or_default();
        one["required"] = [&own[..], alternative, &enough].concat().into();
        let properties = one["properties"]
            .as_object_mut()
            .expect("a table has properties");
        let chosen = |key: &str| alternative.iter().any(|it| it == key);
        properties.retain(|key, _| !exclusive.contains(&key.as_str()) || chosen(key));
        one
    };
    each.iter().map(with).collect()
}

/// What a key is set to where any good value serves.
fn example(root: &Value, schema: &Value) -> Value {
    let schema = resolved(root, schema);
    let examples = schema["examples"].as_array().and_then(|it| it.first());
    let words = schema["enum"].as_array().and_then(|it| it.first());
    if let Some(value) = schema.get("default").or(examples).or(words) {
        return value.clone();
    }
    if schema["type"] == "array" {
        return json!([example(root, &schema["items"])]);
    }
    let tables = variants(root, &schema);
    let table = tables.first();
    least(
        root,
        table.unwrap_or_else(|| panic!("no example in {schema}")),
    )
}

/// The table of this schema with what it requires.
fn least(root: &Value, table: &Value) -> Value {
    let required = table["required"].as_array().into_iter().flatten();
    let required = required.filter_map(Value::as_str);
    let entry = |key: &str| (key.to_owned(), example(root, &table["properties"][key]));
    Value::Object(required.map(entry).collect())
}

/// Every variant of every table, those within others too.
fn tables(root: &Value) -> Vec<Table> {
    fn collect(
        root: &Value,
        schema: &Value,
        path: &[String],
        around: &Value,
        all: &mut Vec<Table>,
    ) {
        let mut below_known = BTreeSet::new();
        for variant in variants(root, schema) {
            let mut around = around.clone();
            let least = least(root, &variant);
            if least["kind"] == "evict" {
                // What is let go of is published first.
                put(
                    &mut around,
                    &["workload".into()],
                    example(root, &root["properties"]["workload"]),
                );
            }
            let restarts = least["kind"] == "restart";
            put(&mut around, path, least);
            if restarts && let Some(faults) = around["fault"].as_array_mut() {
                // Who restarts has crashed.
                faults.push(json!({ "kind": "crash", "at": "1ns", "nodes": "0..64" }));
            }
            let map = variant.as_object().expect("a table's schema is an object");
            all.push(Table {
                path: path.to_vec(),
                schema: map.clone(),
                around: around.clone(),
            });
            for (key, property) in variant["properties"].as_object().into_iter().flatten() {
                // What several variants have is the same in each; what figures there are is a table of its own.
                if key == "expect" || !below_known.insert(key.clone()) {
                    continue;
                }
                let property = resolved(root, property);
                let items = &property["items"];
                let is_array = !items.is_null() && !variants(root, items).is_empty();
                let (below, inner) = match is_array {
                    true => (vec![key.clone(), "0".into()], items.clone()),
                    false => (vec![key.clone()], property.clone()),
                };
                let mut around = around.clone();
                if is_array {
                    let place = [path, std::slice::from_ref(key)].concat();
                    put(&mut around, &place, example(root, &property));
                }
                collect(root, &inner, &[path, &below].concat(), &around, all);
            }
        }
    }
    let mut all = Vec::new();
    collect(root, root, &[], &json!({}), &mut all);
    all
}

/// Sets the value at a path; arrays have one element.
fn put(document: &mut Value, path: &[String], value: Value) {
    let mut at = document;
    for key in path {
        at = if key == "0" {
            if !at.is_array() {
                *at = json!([{}]);
            }
            &mut at[0]
        } else {
            if !at.is_object() {
                *at = json!({});
            }
            &mut at[key.as_str()]
        };
    }
    *at = value;
}

/// The document with a key of the table set, or taken away.
fn with(table: &Table, key: &str, value: Option<Value>) -> Value {
    let mut document = table.around.clone();
    let pointer: String = table.path.iter().map(|key| format!("/{key}")).collect();
    let at = document.pointer_mut(&pointer).expect("the table is there");
    let map = at.as_object_mut().expect("and is a table");
    match value {
        Some(value) => map.insert(key.to_owned(), value),
        None => map.remove(key),
    };
    document
}

/// Reads a document as the runner does; the diagnostics if it is bad. Inline tables are the TOML that is nearest to JSON.
fn read(document: &Value) -> Result<Scenario, Vec<(String, String)>> {
    fn inline(value: &Value) -> String {
        match value {
            Value::Object(map) => {
                let entries: Vec<_> = map
                    .iter()
                    .map(|(key, it)| format!("{key:?} = {}", inline(it)))
                    .collect();
                format!("{{ {} }}", entries.join(", "))
            }
            Value::Array(elements) => {
                let elements: Vec<_> = elements.iter().map(inline).collect();
                format!("[{}]", elements.join(", "))
            }
            scalar => scalar.to_string(),
        }
    }
    let map = document.as_object().expect("a document is a table");
    let lines: Vec<_> = map
        .iter()
        .map(|(key, it)| format!("{key:?} = {}\n", inline(it)))
        .collect();
    let path = tests().join("document.toml").display().to_string();
    Scenario::parse(&path, lines.concat(), &[]).map_err(|bad| {
        let each = bad.diagnostics.into_iter();
        each.map(|it| (it.message, it.hint)).collect()
    })
}

/// What a diagnostic says would be known.
fn known(hint: &str) -> BTreeSet<String> {
    let (_, list) = hint
        .split_once("known: ")
        .unwrap_or_else(|| panic!("nothing is known: {hint}"));
    list.trim_end_matches(')')
        .split(", ")
        .map(str::to_owned)
        .collect()
}

fn properties(table: &Table) -> &Map<String, Value> {
    table.schema["properties"]
        .as_object()
        .expect("a table has properties")
}

fn name(table: &Table) -> String {
    let kind = &properties(table)
        .get("kind")
        .map_or(Value::Null, |kind| kind["enum"].clone());
    format!("{} {kind}", table.path.join("."))
}

#[test]
fn the_schema_is_one() {
    assert!(jsonschema::meta::is_valid(&schema()));
    let all = tables(&schema());
    let paths: BTreeSet<_> = all.iter().map(|table| table.path.join(".")).collect();
    for path in [
        "",
        "network.link.0.latency",
        "network.stream",
        "workload.body.0",
        "fault.0",
        "run",
    ] {
        assert!(paths.contains(path), "{path} is missed: {paths:?}");
    }
}

#[test]
fn reader_and_schema_know_the_same_keys() {
    let schema = schema();
    // Variants of which the reader knows all keys at once are one table to it.
    let mut asked: BTreeMap<(String, BTreeSet<String>), Vec<Table>> = BTreeMap::new();
    let all = tables(&schema);
    for table in all.clone() {
        let wrong = read(&with(&table, "~", Some(json!(1)))).expect_err("nobody knows `~`");
        assert_eq!(wrong.len(), 1, "{}: {wrong:?}", name(&table));
        let (message, hint) = &wrong[0];
        let unknown = message.starts_with("unknown key `~` in");
        assert!(unknown, "{}: {message}", name(&table));
        let place = (table.path.join("."), known(hint));
        asked.entry(place).or_default().push(table);
    }
    for ((path, asked), tables) in &asked {
        let own: BTreeSet<_> = tables.iter().flat_map(|it| properties(it).keys()).collect();
        for key in &own {
            assert!(
                asked.contains(*key),
                "`{path}`: the reader does not know `{key}`"
            );
        }
        for key in asked.iter().filter(|key| !own.contains(key)) {
            // Unless it knows the key only to refuse it here, as another choice of the same thing.
            let of_others = all.iter().filter(|it| it.path.join(".") == *path);
            let other = of_others.filter_map(|it| properties(it).get(key)).next();
            let other = other.map(|it| example(&schema, it));
            let refused = |table: &Table| read(&with(table, key, other.clone())).is_err();
            let refused = other.is_some() && tables.iter().all(refused);
            assert!(refused, "`{path}`: the schema does not know `{key}`");
        }
    }
}

#[test]
fn reader_and_schema_require_the_same_keys() {
    let validator = validator();
    for table in tables(&schema()) {
        let around = &table.around;
        assert!(validator.is_valid(around), "{}: {around}", name(&table));
        read(around).unwrap_or_else(|wrong| panic!("{}: {wrong:?}", name(&table)));
        for key in table
            .schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let key = key.as_str().expect("keys are strings");
            let without = with(&table, key, None);
            // Another variant may be content without it.
            let agreed = validator.is_valid(&without) == read(&without).is_ok();
            assert!(agreed, "{}: without `{key}`: {without}", name(&table));
        }
    }
}

#[test]
fn reader_and_schema_take_the_same_values() {
    let (schema, validator) = (schema(), validator());
    for table in tables(&schema) {
        for (key, property) in properties(&table) {
            let property = resolved(&schema, property);
            let mut good = vec![example(&schema, &property)];
            good.extend(
                property["examples"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .cloned(),
            );
            for value in good {
                let document = with(&table, key, Some(value));
                assert!(
                    validator.is_valid(&document),
                    "{}: {document}",
                    name(&table)
                );
                read(&document)
                    .unwrap_or_else(|wrong| panic!("{}: {document}: {wrong:?}", name(&table)));
            }
            for value in [
                json!(true),
                json!(-1),
                json!(""),
                json!("~"),
                json!([]),
                json!([[]]),
                json!({ "~": 1 }),
            ] {
                let document = with(&table, key, Some(value));
                // What the schema refuses the reader refuses too: it may know better, but not less.
                let (shown, read) = (validator.is_valid(&document), read(&document));
                assert!(
                    shown || read.is_err(),
                    "{}: only the schema refuses {document}",
                    name(&table)
                );
            }
        }
    }
}

#[test]
fn reader_and_schema_know_the_same_words() {
    let schema = schema();
    let mut words: BTreeMap<(String, String), (BTreeSet<String>, BTreeSet<String>)> =
        BTreeMap::new();
    for table in tables(&schema) {
        for (key, property) in properties(&table) {
            let property = resolved(&schema, property);
            let any = property["anyOf"].as_array().into_iter().flatten();
            let own = any
                .chain([&property])
                .filter_map(|it| it["enum"].as_array());
            let own: Vec<_> = own.flatten().collect();
            if own.is_empty() {
                continue;
            }
            let wrong = read(&with(&table, key, Some(json!("~")))).expect_err("`~` is no word");
            let unknown = wrong
                .iter()
                .find(|(message, _)| message.starts_with("unknown "));
            let (_, hint) = unknown.unwrap_or_else(|| panic!("{}: {wrong:?}", name(&table)));
            let own = own.into_iter().filter_map(Value::as_str).map(str::to_owned);
            let entry = words
                .entry((table.path.join("."), key.clone()))
                .or_default();
            entry.0.extend(own);
            entry.1 = known(hint);
        }
    }
    assert!(words.len() >= 5);
    for ((path, key), (schema, reader)) in words {
        assert_eq!(
            schema, reader,
            "the words of `{path}.{key}` in the schema and of the reader"
        );
    }
}

#[test]
fn defaults_are_those_of_the_reader() {
    let schema = schema();
    let mut defaults = 0;
    for table in tables(&schema) {
        for (key, property) in properties(&table) {
            if let Some(default) = resolved(&schema, property).get("default") {
                let said = read(&with(&table, key, Some(default.clone())));
                let unsaid = read(&with(&table, key, None));
                assert!(said.is_ok(), "{}: {key}: {said:?}", name(&table));
                assert_eq!(said, unsaid, "{}: {key}", name(&table));
                defaults += 1;
            }
        }
    }
    assert!(defaults > 15);
}

#[test]
fn figures_that_may_be_expected_are_those_there_are() {
    let schema = schema();
    let figures = &schema["$defs"]["expect"]["properties"];
    let figures = figures.as_object().expect("a table has properties");
    let meaning = |figure: &Figure| {
        let meaning = &figures.get(figure.name)?["description"];
        meaning.as_str()
    };
    for figure in FIGURES {
        assert_eq!(meaning(figure), Some(figure.meaning), "{}", figure.name);
    }
    assert_eq!(figures.len(), FIGURES.len());
}

#[test]
fn every_key_is_described() {
    let schema = schema();
    for table in tables(&schema) {
        for (key, property) in properties(&table) {
            let described = resolved(&schema, property)["description"].is_string();
            assert!(described, "{}: {key}", name(&table));
        }
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the directory is there");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let toml = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    };
    paths.filter(toml).collect()
}

fn parsed(path: &Path) -> Option<Value> {
    let text = fs::read_to_string(path).expect("the file can be read");
    toml::from_str(&text).ok()
}

#[test]
fn every_good_file_is_good_by_the_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut good = files(&root.join("../../sims"));
    assert!(good.len() >= 5);
    good.push(root.join("src/scenario/example.toml"));
    good.push(root.join("templates/scenario.toml"));
    good.push(root.join("templates/protocol/scenario.toml"));
    let validator = validator();
    for path in good {
        let document = parsed(&path).expect("it is TOML");
        if let Err(wrong) = validator.validate(&document) {
            panic!("{}: {wrong} at {}", path.display(), wrong.instance_path());
        }
    }
}

/// The example has every key, so that whoever adds one to the reader and the schema shows it there as well.
#[test]
fn the_example_has_every_key() {
    let example = include_str!("../../src/scenario/example.toml");
    for table in tables(&schema()) {
        for key in properties(&table).keys() {
            assert!(example.contains(key), "{}: {key}", name(&table));
        }
    }
}

#[test]
fn what_only_a_slip_of_the_finger_can_be_is_bad_by_the_schema() {
    let validator = validator();
    for name in [
        "unknown-keys",
        "types",
        "missing",
        "unknown-topology",
        "kind-and-degree",
        "workload-mixed",
    ] {
        let path = tests().join("bad").join(name).with_extension("toml");
        let document = parsed(&path).expect("it is TOML");
        assert!(!validator.is_valid(&document), "{name}");
    }
}
