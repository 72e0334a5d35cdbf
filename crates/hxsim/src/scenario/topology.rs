//! `[topology]`: who is whose neighbour.

use std::path::Path;

use simnet::Probability;

use super::quantity::{decimal, integer, probability, text, word};
use super::section::{Located, Problems, Section};
use crate::decimal::Decimal;
use crate::diagnostic::Place;
use crate::topology::{Density, Graph, Reach, Topology};

#[derive(Clone, Copy)]
enum Shape {
    Line,
    Ring,
    Star,
    Complete,
    Tree,
    Grid,
    Torus,
    Hypercube,
    RandomRegular,
    ErdosRenyi,
    WattsStrogatz,
    BarabasiAlbert,
    Geometric,
    Edges,
}

const SHAPES: [(&str, Shape); 14] = [
    ("line", Shape::Line),
    ("ring", Shape::Ring),
    ("star", Shape::Star),
    ("complete", Shape::Complete),
    ("tree", Shape::Tree),
    ("grid", Shape::Grid),
    ("torus", Shape::Torus),
    ("hypercube", Shape::Hypercube),
    ("random_regular", Shape::RandomRegular),
    ("erdos_renyi", Shape::ErdosRenyi),
    ("watts_strogatz", Shape::WattsStrogatz),
    ("barabasi_albert", Shape::BarabasiAlbert),
    ("geometric", Shape::Geometric),
    ("edges", Shape::Edges),
];

pub(super) fn read(
    problems: &mut Problems,
    root: &mut Section<'_>,
    nodes: Option<u32>,
    directory: &Path,
) -> Option<Topology> {
    let example = "topology = { kind = \"random_regular\", degree = 8 }";
    let mut section = root.required_section(problems, "topology", "`[topology]`", example)?;
    let kind = word("topology", &SHAPES);
    let shape = section.required(problems, "kind", "kind = \"ring\"", kind)?;
    let topology = match shape.value {
        Shape::Edges => {
            let file = section.required(problems, "file", "file = \"mesh.edges\"", text);
            section.close(problems);
            return edges(problems, &file?, nodes?, directory);
        }
        _ => parameters(problems, &mut section, &shape),
    };
    section.close(problems);
    let Located { value, place } = topology?;
    if let Some(Err(error)) = nodes.map(|nodes| value.check(nodes)) {
        problems.add(&place, error.to_string(), error.remedy());
        return None;
    }
    Some(value)
}

/// A shape with its parameters, and the place of that which decides whether it can be.
fn parameters(
    problems: &mut Problems,
    section: &mut Section<'_>,
    shape: &Located<Shape>,
) -> Option<Located<Topology>> {
    let place = shape.place.clone();
    let of_shape = |value| Some(Located { value, place });
    match shape.value {
        Shape::Line => of_shape(Topology::Line),
        Shape::Ring => of_shape(Topology::Ring),
        Shape::Star => of_shape(Topology::Star),
        Shape::Complete => of_shape(Topology::Complete),
        Shape::Hypercube => of_shape(Topology::Hypercube),
        Shape::Tree => {
            let arity = section.required(problems, "arity", "arity = 2", integer(1))?;
            Some(arity.map(|arity| Topology::Tree { arity }))
        }
        Shape::Grid => match section.optional(problems, "width", integer(1)) {
            Some(width) => Some(width.map(|width| Topology::Grid { width: Some(width) })),
            None => of_shape(Topology::Grid { width: None }),
        },
        Shape::Torus => match section.optional(problems, "width", integer(3)) {
            Some(width) => Some(width.map(|width| Topology::Torus { width: Some(width) })),
            None => of_shape(Topology::Torus { width: None }),
        },
        Shape::RandomRegular => {
            let degree = section.required(problems, "degree", "degree = 8", integer(0))?;
            Some(degree.map(|degree| Topology::RandomRegular { degree }))
        }
        Shape::ErdosRenyi => {
            let p = section.optional(problems, "p", probability);
            let p = p.map(|p| p.map(Density::Probability));
            let density = or_mean_degree(
                problems,
                section,
                ("p", p),
                "p = \"0.8%\"",
                Density::MeanDegree,
            )?;
            Some(density.map(Topology::ErdosRenyi))
        }
        Shape::WattsStrogatz => {
            let rewire = section.or(problems, "rewire", Probability::ZERO, probability);
            let degree = section.required(problems, "degree", "degree = 8", integer(0))?;
            Some(degree.map(|degree| Topology::WattsStrogatz { degree, rewire }))
        }
        Shape::BarabasiAlbert => {
            let attach = section.required(problems, "attach", "attach = 4", integer(1))?;
            Some(attach.map(|attach| Topology::BarabasiAlbert { attach }))
        }
        Shape::Geometric => {
            let spaces = word("space", &[("square", false), ("torus", true)]);
            let torus = section.or(problems, "space", false, spaces);
            let radius = section.optional(problems, "radius", decimal);
            let radius = radius.map(|radius| radius.map(Reach::Radius));
            let reach = or_mean_degree(
                problems,
                section,
                ("radius", radius),
                "radius = \"0.1\"",
                Reach::MeanDegree,
            )?;
            Some(reach.map(|reach| Topology::Geometric { reach, torus }))
        }
        Shape::Edges => None,
    }
}
/// One parameter or, in its place, the mean degree that it comes to.
fn or_mean_degree<T>(
    problems: &mut Problems,
    section: &mut Section<'_>,
    (name, parameter): (&str, Option<Located<T>>),
    example: &str,
    of_degree: impl FnOnce(Decimal) -> T,
) -> Option<Located<T>> {
    let given = section.has(name) || section.has("mean_degree");
    let degree = section.optional(problems, "mean_degree", decimal);
    match (parameter, degree) {
        (Some(_), Some(degree)) => {
            let message = "this says a second time how many edges there are";
            problems.add(
                &degree.place,
                message,
                format!("leave it out, or {example}"),
            );
            None
        }
        (None, None) => {
            if !given {
                let message = "`[topology]` lacks `mean_degree`";
                let hint = format!("for example: mean_degree = 8, or {example}");
                problems.add(section.place(), message, hint);
            }
            None
        }
        (parameter, degree) => parameter.or(degree.map(|degree| degree.map(of_degree))),
    }
}

/// Reads an edge list; what is wrong with it is shown in that file.
fn edges(
    problems: &mut Problems,
    file: &Located<String>,
    nodes: u32,
    directory: &Path,
) -> Option<Topology> {
    let (path, text) = problems.read_file(file, directory)?;
    match Graph::parse(nodes, &text) {
        Ok(graph) => Some(Topology::Edges(graph.edges().to_vec())),
        Err(errors) => {
            let source = problems.add_source(path, text);
            for (span, message) in errors {
                let place = Place::bytes(source, span);
                problems.add(
                    &place,
                    message,
                    format!("two nodes of 0..{nodes}, as in `0 1`"),
                );
            }
            None
        }
    }
}
