// What is no part of this page - no answer at all, the page of a proxy, a bare error - the page
// itself answers, with a note that is put in place like a refusal of the server.
const isPart = (answer, text) =>
  answer.headers.get("content-type")?.startsWith("text/html") && !/<html/i.test(text);

async function ask(address, request) {
  try {
    const answer = await fetch(address, request);
    if (isPart(answer, await answer.clone().text())) return answer;
  } catch (error) {
    const { aborted, reason } = request.signal;
    if (aborted && reason !== "timeout") throw error; // somebody wished for something else
  }
  const headers = { "HX-Reswap": "innerHTML" };
  return new Response(document.getElementById("unanswered").innerHTML, { status: 503, headers });
}

document.addEventListener("htmx:before:request", ({ detail }) => {
  detail.ctx.fetch = ask;
});
