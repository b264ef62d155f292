// Package a2a makes the skills of Agent2Agent agents callable tools. It finds each agent's card (protocol 1.0, then 0.3),
// watches it, and offers one tool for each skill; a call sends the model's message to the agent, follows the task and
// brings back its words. An agent that is down costs nobody anything: it has no tools until it is up again.
//
// It must not know what a model, a chat request or a tool loop is, nor where its options come from. It is given agents and
// limits, and hands out immutable catalogues; nothing of a request lives in a Manager.
package a2a
