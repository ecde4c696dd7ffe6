// The Rust peer of bench/policy.c: argv is FOLDER N...; for each N it reads policies-N.cedar and
// prints "N ns-per-decision allow" on a line.
use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use std::{env, fs, path::Path, time::Instant};

fn uid(text: &str) -> EntityUid {
    text.parse().expect("an entity id")
}

fn main() {
    let args: Vec<String> = env::args().collect();
    let folder = Path::new(&args[1]);
    let text = fs::read_to_string(folder.join("entities.json")).expect("entities.json");
    let entities = Entities::from_json_str(&text, None).expect("entities");
    let context = Context::from_json_str(r#"{"risk": 120, "host": "h1.example"}"#, None)
        .expect("context");
    let request = Request::new(
        uid(r#"User::"ann""#), uid(r#"Action::"view""#), uid(r#"Doc::"plan""#), context, None,
    )
    .expect("request");
    let authorizer = Authorizer::new();
    for count in &args[2..] {
        let text = fs::read_to_string(folder.join(format!("policies-{count}.cedar"))).expect("policies");
        let set: PolicySet = text.parse().expect("policy set");
        let rounds = 1_000_000 / (count.parse::<usize>().expect("count") + 10);
        let mut allowed = false;
        let start = Instant::now();
        for _ in 0..rounds {
            allowed = authorizer.is_authorized(&request, &set, &entities).decision() == Decision::Allow;
        }
        println!("{count} {:.1} {allowed}", start.elapsed().as_nanos() as f64 / rounds as f64);
    }
}
