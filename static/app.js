"use strict";

// Shows the platform's readiness, asked anew every few seconds while the page is visible.

const PERIOD_MS = 5000;
const state = document.getElementById("state");
const checks = document.getElementById("checks");

function show(name, text, items = []) {
    state.dataset.state = name;
    state.textContent = text;
    checks.replaceChildren(
        ...items.map((item) => {
            const line = document.createElement("li");
            line.textContent = item;
            return line;
        }),
    );
}

// The state of each dependency, whatever shape it has: "name: state".
function describe(answer) {
    const parts = answer && typeof answer.checks === "object" && answer.checks !== null ? answer.checks : {};
    return Object.entries(parts).map(([name, value]) => {
        const text = value !== null && typeof value === "object" ? (value.status ?? JSON.stringify(value)) : value;
        return `${name}: ${text}`;
    });
}

async function ask() {
    try {
        const response = await fetch("/readyz", { cache: "no-store" });
        const answer = await response.json().catch(() => null);
        if (response.ok) {
            show("ready", "ready", describe(answer));
        } else {
            show("not-ready", "not ready", [answer?.detail ?? `HTTP ${response.status}`, ...describe(answer)]);
        }
    } catch {
        show("not-ready", "cannot be reached");
    }
}

async function run() {
    if (!document.hidden) {
        await ask();
    }
    setTimeout(run, PERIOD_MS);
}

for (const element of document.querySelectorAll("[data-origin]")) {
    element.textContent = location.origin;
}
run();
